#include <gtest/gtest.h>
#include <optotorch/core/npy.h>
#include <optotorch/modules/export/phase_program.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/modules/optics/weight_bank.h>
#include <support/errors.h>
#include <support/temporary_folder.h>
#include <torch/nn/modules/linear.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numbers>

namespace optotorch {
namespace {

using testing::bytes_of;
using testing::TemporaryFolder;

Hybrid mesh_network() {
  torch::manual_seed(1);
  return Hybrid(MziMesh(6), Photodetector(), torch::nn::Linear(6, 3));
}

nlohmann::json program_in(const std::string& folder) {
  std::ifstream file(folder + "/program.json");
  return nlohmann::json::parse(file);
}

CalibrationTable table_of(const TemporaryFolder& folder, const std::string& commands) {
  return CalibrationTable::read(folder.write(
      "table.json", bytes_of(R"({"format": "optotorch-calibration-1", "commands": )" + commands + "}")));
}

TEST(PhaseProgramTest, HoldsEveryCommandOfEveryStage) {
  const TemporaryFolder folder;
  const auto path = folder.path() + "/new/program";
  Hybrid net(MziMesh(6), Photodetector(), WeightBank(6, 3));
  EXPECT_EQ(export_phase_program(*net, path), 2);
  const auto program = program_in(path);
  EXPECT_EQ(program["format"], "optotorch-phase-program-1");
  EXPECT_EQ(program["stages"][0]["type"], "MziMesh");
  EXPECT_EQ(program["stages"][0]["options"]["ports"], 6);
  EXPECT_EQ(program["stages"][1]["type"], "WeightBank");
  size_t commands = 0;
  for (const auto& command : program["stages"][0]["commands"]) {
    const auto name = command["name"].get<std::string>();
    const auto values = load_npy(path + "/" + command["file"].get<std::string>());
    const auto parameters = net->named_parameters();
    EXPECT_TRUE(values.equal(parameters["0." + name].detach().to(torch::kFloat64))) << name;
    EXPECT_EQ(command["unit"], "radians");
    EXPECT_FALSE(command.contains("given"));
    ++commands;
  }
  EXPECT_EQ(commands, 3U);  // theta, phi, gamma
  EXPECT_NE(program["stages"][1]["commands"][0]["unit"], "radians");
}

TEST(PhaseProgramTest, HeatersGiveThePhaseBack) {
  const TemporaryFolder folder;
  auto net = mesh_network();
  const auto theta = net->named_parameters()["0.theta"].detach().to(torch::kFloat64);
  const auto p_pi = 20 + torch::rand_like(theta) * 10, offset = torch::randn_like(theta);
  save_npy(folder.path() + "/p_pi.npy", p_pi);
  save_npy(folder.path() + "/offset.npy", offset);
  const auto table =
      table_of(folder, R"({"theta": {"kind": "heater", "p_pi_mw": "p_pi.npy", "offset": "offset.npy",
                                          "most_mw": 120}})");
  const auto path = folder.path() + "/program";
  export_phase_program(*net, path, &table);
  const auto power = load_npy(path + "/stage0_theta_given.npy");
  EXPECT_TRUE(power.ge(0).all().item<bool>());
  const auto phase = offset + power / p_pi * std::numbers::pi;
  const auto turns = (phase - theta) / (4 * std::numbers::pi);
  EXPECT_LT((turns - turns.round()).abs().max().item<double>(), 1e-13);
  EXPECT_LT((power / p_pi).max().item<double>(), 4);  // the smallest power that does it
  EXPECT_EQ(program_in(path)["stages"][0]["commands"].size(), 3U);
}

TEST(PhaseProgramTest, APoweredMeshIsTheSameMesh) {
  const TemporaryFolder folder;
  Hybrid net(MziMesh(6));
  net->to(torch::kFloat64);
  const torch::NoGradGuard no_grad;
  for (auto& parameter : net->parameters()) {
    parameter.copy_(torch::randn_like(parameter) * 10);  // many turns, both ways
  }
  const auto table = table_of(folder, R"({"theta": {"kind": "heater", "p_pi_mw": 25, "most_mw": 100},
      "phi": {"kind": "heater", "p_pi_mw": 20, "most_mw": 40}, "gamma": {"kind": "heater", "p_pi_mw": 10, "most_mw": 20}})");
  const auto path = folder.path() + "/program";
  export_phase_program(*net, path, &table);
  const auto x = torch::randn({5, 6}, torch::kComplexDouble);
  const auto expected = net->forward(x).clone();
  for (const auto& [name, p_pi] : std::map<std::string, double>{{"theta", 25}, {"phi", 20}, {"gamma", 10}}) {
    const auto power = load_npy(path + "/stage0_" + name + "_given.npy");
    net->named_parameters()["0." + name].copy_(power / p_pi * std::numbers::pi);
  }
  EXPECT_LT((net->forward(x) - expected).abs().max().item<double>(),
            1e-4);  // zero may stand for 1e-6 of a period below
}

TEST(PhaseProgramTest, CodesAreTheNearestOfTheConverter) {
  const TemporaryFolder folder;
  auto net = mesh_network();
  const auto table = table_of(folder, R"({"theta": {"kind": "heater", "p_pi_mw": 25, "most_mw": 100,
                                          "resistance_ohm": 500, "full_scale_v": 7.1, "bits": 12}})");
  const auto path = folder.path() + "/program";
  export_phase_program(*net, path, &table);
  const auto codes = load_npy(path + "/stage0_theta_given.npy");
  EXPECT_TRUE(codes.equal(codes.round()));
  const auto volts = codes / 4095 * 7.1;
  const auto phase = volts.square() / 500 / 25e-3 * std::numbers::pi;
  const auto theta = net->named_parameters()["0.theta"].detach().to(torch::kFloat64);
  // Half a code moves a phase by 2 pi / 25e-3 V dV / R at most.
  const double step = 2 * std::numbers::pi / 25e-3 * 7.1 / 500 * (7.1 / 4095 / 2);
  EXPECT_LT((phase - theta.remainder(4 * std::numbers::pi)).abs().max().item<double>(), step);
}

TEST(PhaseProgramTest, CurvesAreReadBetweenTheirPoints) {
  const TemporaryFolder folder;
  auto net = mesh_network();
  {
    const torch::NoGradGuard no_grad;
    net->named_parameters()["0.theta"].fill_(4.0 - 4 * std::numbers::pi);
    net->named_parameters()["0.phi"].fill_(0.5);
  }
  const auto table = table_of(folder, R"({
      "theta": {"kind": "curve", "unit": "V", "given": [0, 2, 3], "values": [0, 4, 13]},
      "phi": {"kind": "curve", "given": [1, 0], "values": [0, 1]}})");
  const auto path = folder.path() + "/program";
  export_phase_program(*net, path, &table);
  const auto shape = net->named_parameters()["0.theta"].sizes();
  EXPECT_TRUE(load_npy(path + "/stage0_theta_given.npy").allclose(torch::full(shape, 2.0, torch::kFloat64)));
  EXPECT_TRUE(load_npy(path + "/stage0_phi_given.npy").allclose(torch::full(shape, 0.5, torch::kFloat64)));
  EXPECT_EQ(program_in(path)["stages"][0]["commands"][2]["given"]["unit"], "V");
}

TEST(PhaseProgramTest, WritesNothingForWhatItCannotReach) {
  const TemporaryFolder folder;
  auto net = mesh_network();
  const auto path = folder.path() + "/program";
  const auto rejected = [&](const std::string& commands) {
    const auto said = testing::error_of([&] {
      const auto table = table_of(folder, commands);
      export_phase_program(*net, path, &table);
    });
    EXPECT_FALSE(std::filesystem::exists(path));
    return said;
  };
  const auto expect = [&](const std::string& commands, const std::string& text) {
    const auto said = rejected(commands);
    EXPECT_NE(said.find(text), std::string::npos) << "wanted: " << text << "\n" << said;
  };
  expect(R"({"theta": {"kind": "heater", "p_pi_mw": 25, "most_mw": 1}})",
         "stage0, theta: expected phases that a heater");
  expect(R"({"thetta": {"kind": "heater", "p_pi_mw": 25, "most_mw": 100}})",
         "commands that the network has: gamma, phi, theta");
  expect(R"({"theta": {"kind": "heater", "p_pi_mw": 25, "most_mw": 100, "bits": 7.5}})",
         "bits: expected a whole number");
  expect(
      R"({"theta": {"kind": "heater", "p_pi_mw": 25, "most_mw": 100, "resistance_ohm": 500, "full_scale_v": 0.1,
             "bits": 8}})",
      "converter of 0.1 V");
  expect(R"({"theta": {"kind": "curve", "given": [0, 1], "values": [10, 11]}})",
         "values of the calibration curve, 10 to 11");
  expect(R"({"theta": {"kind": "curve", "given": [0, 1], "values": [1, 1]}})", "numbers that rise");
  expect(R"({"theta": {"kind": "curve", "given": [0, 1, 2], "values": [1, 2]}})", "as many as are given, 3");
  expect(R"({"theta": {"kind": "oven"}})", "kind: expected heater or curve, got 'oven'");
  expect(R"({"theta": {"kind": "heater", "p_pi_mw": 0, "most_mw": 1}})", "p_pi_mw");
  expect(R"({"theta": {"kind": "heater", "p_pi_mw": 1}})", "most_mw: expected a number, got none");
  expect(R"({"theta": {"kind": "heater", "p_pi_mw": 1, "most_mw": 9, "colour": 1}})",
         "colour: expected no such field");
  save_npy(folder.path() + "/small.npy", torch::ones({2}, torch::kFloat64));
  expect(R"({"theta": {"kind": "heater", "p_pi_mw": "small.npy", "most_mw": 99}})", "p_pi_mw of its shape");
  EXPECT_SAYS(CalibrationTable::read(folder.write("other.json", bytes_of("{}"))), "optotorch-calibration-1");
  folder.write("program/file", bytes_of("x"));
  EXPECT_SAYS(export_phase_program(*net, path), "expected a new or empty folder");
  Hybrid electronic(torch::nn::Linear(2, 2));
  EXPECT_SAYS(export_phase_program(*electronic, folder.path() + "/none"), "optics that are commanded");
}

}  // namespace
}  // namespace optotorch
