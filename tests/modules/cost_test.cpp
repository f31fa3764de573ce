// Costs against sums by hand, and a published budget.

#include <gtest/gtest.h>
#include <optotorch/modules/cost.h>
#include <optotorch/modules/detail/multiply_adds.h>
#include <optotorch/modules/optics/convolution.h>
#include <optotorch/modules/optics/diffractive_layer.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/modules/optics/weight_bank.h>
#include <support/errors.h>
#include <torch/nn/functional.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace optotorch {
namespace {

using Figures = std::map<std::string, std::map<std::string, double>>;

std::string text_of(const Figures& figures) {
  nlohmann::json object{{"format", "optotorch-components-1"}, {"components", nlohmann::json::object()}};
  for (const auto& [kind, known] : figures) {
    object["components"][kind] = nlohmann::json::object();
    for (const auto& [name, value] : known) {
      object["components"][kind][name] = {{"value", value}, {"source", "by hand"}};
    }
  }
  return object.dump();
}

ComponentTable table_of(const Figures& figures) {
  return ComponentTable::parse(text_of(figures), "test", "table");
}

Figures round_numbers() {
  return {{parts::mzis, {{"loss_db", 0.5}, {"area_um2", 1000}, {"hold_mw", 0}}},
          {parts::phase_shifters, {{"loss_db", 0.25}, {"hold_mw", 10}, {"area_um2", 0}}},
          {parts::rings, {{"loss_db", 0.125}, {"hold_mw", 2}, {"area_um2", 100}}},
          {parts::modulators, {{"loss_db", 1}, {"use_pj", 2}, {"rate_hz", 1e9}, {"area_um2", 0}}},
          {parts::detectors,
           {{"responsivity_a_per_w", 0.5}, {"noise_a_per_rthz", 0}, {"use_pj", 1}, {"area_um2", 0}}},
          {parts::pixels, {{"loss_db", 2}, {"rate_hz", 100}, {"hold_mw", 0}, {"area_um2", 0}}},
          {parts::dacs, {{"use_pj", 4}, {"area_um2", 0}}},
          {parts::adcs, {{"use_pj", 8}, {"area_um2", 0}}},
          {parts::lasers, {{"loss_db", 3}, {"efficiency", 0.25}, {"area_um2", 0}}},
          {parts::electronics, {{"use_pj", 0.5}, {"rate_hz", 1e9}}}};
}

constexpr double charge = 1.602176634e-19;

TEST(CostTest, AMeshByHand) {
  Hybrid net(Modulator(4), MziMesh(4), Photodetector(), torch::nn::Linear(4, 3));
  const auto cost = cost_of(*net, torch::rand({2, 4}), table_of(round_numbers()), CostOptions().snr_db(30));
  EXPECT_TRUE(cost.unknown.empty()) << *cost.unknown.begin();
  ASSERT_EQ(cost.lights.size(), 1U);
  const auto& light = cost.lights.front();
  EXPECT_EQ(light.first, 0U);
  EXPECT_EQ(light.last, 2U);
  // 4 ports: 6 MZIs in 4 columns, two shifters each and a screen of 4.
  EXPECT_EQ(light.along.at(parts::mzis), 4);
  EXPECT_EQ(light.along.at(parts::phase_shifters), 9);
  EXPECT_EQ(light.inputs, 4);
  EXPECT_EQ(light.detectors, 4);
  EXPECT_EQ(light.passes, 1);
  EXPECT_DOUBLE_EQ(light.loss_db, 3 + 1 + 4 * 0.5 + 9 * 0.25);
  EXPECT_DOUBLE_EQ(light.rate_hz, 1e9);
  // Shot noise alone: (R P)^2 / (2 q R P B) = 1000, B = rate / 2.
  const double one = 1000 * 2 * charge * 0.5e9 / 0.5;
  EXPECT_NEAR(light.detected_w, 4 * one, 1e-12 * one);
  EXPECT_NEAR(light.light_w, 4 * one * std::pow(10, 0.825), 1e-9 * one);
  EXPECT_NEAR(light.laser_w, 4 * light.light_w, 1e-9 * one);
  EXPECT_EQ(cost.optical_multiply_adds, 16);
  EXPECT_EQ(cost.electronic_multiply_adds, 12);
  EXPECT_EQ(cost.footprint.at(parts::mzis), 6);
  EXPECT_EQ(cost.footprint.at(parts::phase_shifters), 16);
  EXPECT_EQ(cost.footprint.at(parts::modulators), 4);
  EXPECT_EQ(cost.footprint.at(parts::detectors), 4);
  EXPECT_NEAR(cost.area_mm2, 6e-3, 1e-15);
  EXPECT_NEAR(cost.hold_w, 0.16, 1e-15);
  EXPECT_NEAR(cost.interval_s, 12e-9, 1e-20);  // electronics are slower than light
  EXPECT_NEAR(cost.latency_s, 13e-9, 1e-20);
  EXPECT_NEAR(cost.energy_j.at(parts::phase_shifters), 0.16 * 12e-9, 1e-20);
  EXPECT_NEAR(cost.energy_j.at(parts::modulators), 4 * 2e-12, 1e-24);
  EXPECT_NEAR(cost.energy_j.at(parts::dacs), 4 * 4e-12, 1e-24);
  EXPECT_NEAR(cost.energy_j.at(parts::adcs), 4 * 8e-12, 1e-24);
  EXPECT_NEAR(cost.energy_j.at(parts::detectors), 4e-12, 1e-24);
  EXPECT_NEAR(cost.energy_j.at(parts::electronics), 6e-12, 1e-24);
  EXPECT_NEAR(cost.energy_j.at(parts::lasers), light.laser_w * 1e-9, 1e-24);
}

TEST(CostTest, WeightBanksByHand) {
  Hybrid net(WeightBank(8, 2), WeightBank(2, 5));
  const auto cost = cost_of(*net, torch::rand({1, 8}), table_of(round_numbers()));
  ASSERT_EQ(cost.lights.size(), 2U);  // each ends at its own photodiodes
  EXPECT_EQ(cost.lights[0].inputs, 8);
  EXPECT_EQ(cost.lights[0].detectors, 4);  // a pair an output
  EXPECT_DOUBLE_EQ(cost.lights[0].loss_db, 3 + 1 + 8 * 0.125);
  EXPECT_DOUBLE_EQ(cost.lights[1].loss_db, 3 + 1 + 2 * 0.125);
  EXPECT_EQ(cost.optical_multiply_adds, 16 + 10);
  EXPECT_EQ(cost.electronic_multiply_adds, 0);
  EXPECT_EQ(cost.footprint.at(parts::rings), 26);
  EXPECT_EQ(cost.footprint.at(parts::modulators), 10);  // which no layer brings
  EXPECT_EQ(cost.footprint.at(parts::detectors), 14);
  EXPECT_NEAR(cost.hold_w, 26 * 2e-3, 1e-15);
  EXPECT_NEAR(cost.interval_s, 1e-9, 1e-20);
  EXPECT_NEAR(cost.latency_s, 2e-9, 1e-20);
}

TEST(CostTest, AConvolutionByHand) {
  const auto bank = WeightBank(9, 4);
  Hybrid net(Convolution(ConvolutionOptions(bank.ptr(), 3)), torch::nn::Conv2d(4, 2, 3));
  const auto cost = cost_of(*net, torch::rand({1, 1, 8, 8}), table_of(round_numbers()));
  ASSERT_EQ(cost.lights.size(), 1U);
  EXPECT_EQ(cost.lights[0].passes, 36);  // 6 x 6 patches
  EXPECT_EQ(cost.optical_multiply_adds, 36 * 9 * 4);
  EXPECT_EQ(cost.electronic_multiply_adds, 4 * 4 * 2 * 4 * 9);
  EXPECT_NEAR(cost.lights[0].seconds, 36e-9, 1e-20);
}

TEST(CostTest, DetectorsBehindPatchesReadThemInTurn) {
  const auto mesh = MziMesh(9);
  Hybrid net(Convolution(ConvolutionOptions(mesh.ptr(), 3)), Photodetector());
  const auto cost = cost_of(*net, torch::rand({1, 1, 8, 8}, torch::kComplexFloat), table_of(round_numbers()));
  ASSERT_EQ(cost.lights.size(), 1U);
  EXPECT_EQ(cost.lights[0].passes, 36);
  EXPECT_EQ(cost.lights[0].detectors, 9);
  EXPECT_EQ(cost.lights[0].readings, 9 * 36);
  EXPECT_EQ(cost.footprint.at(parts::adcs), 9);
  EXPECT_NEAR(cost.energy_j.at(parts::adcs), 9 * 36 * 8e-12, 1e-20);
}

TEST(CostTest, MeshesOfAStackWorkAtOnce) {
  Hybrid net(MziMesh(MziMeshOptions(4).meshes(3)), Photodetector());
  const auto cost = cost_of(*net, torch::rand({1, 3, 4}, torch::kComplexFloat), table_of(round_numbers()));
  EXPECT_EQ(cost.lights.at(0).passes, 1);
  EXPECT_EQ(cost.lights.at(0).detectors, 12);
  EXPECT_EQ(cost.optical_multiply_adds, 3 * 16);
}

TEST(CostTest, ABudgetThatWasPublished) {
  // Albireo (ISCA 2021), conservative components: counts, powers and its table III as CiMLoop repeats them
  // (github.com/mit-emze/cimloop, arch/1_macro/albireo_isca_2021).
  const auto table = table_of({{"rings", {{"hold_mw", 3.1}}},
                               {"modulators", {{"hold_mw", 11.3}}},
                               {"lasers", {{"hold_mw", 1.94}}},
                               {"DACs", {{"use_pj", 5.2}}},
                               {"amplifiers", {{"use_pj", 0.6}}}});
  std::set<std::string> unknown;
  const auto power =
      power_of({{"rings", 2430}, {"modulators", 306}, {"lasers", 1215}, {"DACs", 306}, {"amplifiers", 45}},
               table, 5e9, unknown);
  const std::map<std::string, double> published{
      {"rings", 7.52}, {"modulators", 3.45}, {"lasers", 2.36}, {"DACs", 7.93}, {"amplifiers", 0.14}};
  double ours = 0, theirs = 0;
  for (const auto& [kind, watts] : published) {
    EXPECT_NEAR(power.at(kind), watts, 0.005 * watts + 0.005) << kind;
    ours += power.at(kind);
    theirs += watts;
  }
  EXPECT_NEAR(ours, theirs, 0.005 * theirs);
  EXPECT_TRUE(unknown.empty());
}

TEST(CostTest, ALossThatWasPublished) {
  // SimPhony's crossbar (log/test_insertion_loss.txt): 6.22 dB.
  const auto table = table_of({{"lasers", {{"loss_db", 2}}},
                               {"splitters", {{"loss_db", 0.1}}},
                               {"rings", {{"loss_db", 0.93}}},
                               {"modulators", {{"loss_db", 1.2}}},
                               {"nodes", {{"loss_db", 0.76}}}});
  std::set<std::string> unknown;
  EXPECT_NEAR(loss_db_of({{"lasers", 1}, {"splitters", 4}, {"rings", 2}, {"modulators", 1}, {"nodes", 1}},
                         table, unknown),
              6.22, 1e-12);
}

TEST(CostTest, AmplifiersNoiseWantsMoreLight) {
  const double shot = detector_power(100, 1e9, 1, 0), both = detector_power(100, 1e9, 1, 1e-11);
  EXPECT_NEAR(shot, 100 * 2 * charge * 0.5e9, 1e-20);
  EXPECT_GT(both, shot);
  const double current = both, noise = 2 * charge * current * 0.5e9 + 1e-22 * 0.5e9;
  EXPECT_NEAR(current * current / noise, 100, 1e-9);
}

TEST(CostTest, CountsTheProductsOfElectronics) {
  namespace F = torch::nn::functional;
  EXPECT_EQ(multiply_adds_of([] { torch::mm(torch::rand({3, 4}), torch::rand({4, 5})); }), 60);
  EXPECT_EQ(multiply_adds_of([] { torch::nn::Linear(4, 5)(torch::rand({3, 4})); }), 60);
  EXPECT_EQ(multiply_adds_of([] { torch::bmm(torch::rand({2, 3, 4}), torch::rand({2, 4, 5})); }), 120);
  EXPECT_EQ(multiply_adds_of([] { torch::mv(torch::rand({3, 4}), torch::rand({4})); }), 12);
  EXPECT_EQ(
      multiply_adds_of([] {
        torch::nn::Conv2d(torch::nn::Conv2dOptions(4, 6, 3).groups(2).stride(2))(torch::rand({2, 4, 9, 9}));
      }),
      2 * 6 * 4 * 4 * 2 * 9);
  EXPECT_EQ(
      multiply_adds_of([] {
        torch::nn::ConvTranspose2d(torch::nn::ConvTranspose2dOptions(4, 6, 3))(torch::rand({1, 4, 5, 5}));
      }),
      4 * 25 * 6 * 9);
  EXPECT_EQ(multiply_adds_of([] { torch::rand({9}).exp().sum(); }), 0);
  EXPECT_THROW(multiply_adds_of([] { torch::mm(torch::rand({3}), torch::rand({4, 5})); }), c10::Error);
  EXPECT_EQ(multiply_adds_of([] {}), 0);
}

TEST(CostTest, LeavesTheNetworkAsItWas) {
  Hybrid net(MziMesh(4), Photodetector());
  net->train();
  const auto field = torch::rand({1, 4}, torch::kComplexFloat);
  torch::manual_seed(3);
  const auto next = torch::rand({1}).item<float>();
  torch::manual_seed(3);
  cost_of(*net, field, table_of(round_numbers()));
  EXPECT_EQ(torch::rand({1}).item<float>(), next);
  EXPECT_TRUE(net->is_training());
  EXPECT_TRUE(net->parameters().front().requires_grad());
}

TEST(CostTest, SaysWhatItDoesNotKnow) {
  auto figures = round_numbers();
  figures[parts::mzis] = {};
  Hybrid net(Modulator(4), MziMesh(4), Photodetector());
  const auto cost = cost_of(*net, torch::rand({1, 4}), table_of(figures));
  EXPECT_TRUE(cost.unknown.contains("loss_db of MZIs"));
  EXPECT_TRUE(cost.unknown.contains("area_um2 of MZIs"));
  const auto json = nlohmann::json::parse(cost.to_json(table_of(figures)));
  EXPECT_EQ(json["unknown"].size(), cost.unknown.size());
  EXPECT_FALSE(json["components"].contains("rings"));  // of which there are none
  EXPECT_EQ(json["components"]["DACs"]["use_pj"]["source"], "by hand");
  EXPECT_DOUBLE_EQ(json["total_energy_j"].get<double>(), cost.total_energy_j());
}

TEST(CostTest, RejectsWhatItCannotUse) {
  auto figures = round_numbers();
  figures.erase(parts::mzis);
  Hybrid net(MziMesh(4), Photodetector());
  const auto field = torch::rand({1, 4}, torch::kComplexFloat);
  EXPECT_SAYS(cost_of(*net, field, table_of(figures)), "expected figures of 'MZIs', which the network has");
  EXPECT_SAYS(cost_of(*net, field, table_of(round_numbers()), CostOptions().snr_db(-1)),
              "snr_db: expected 0 to 200");
  EXPECT_SAYS(cost_of(*net, torch::Tensor(), table_of(round_numbers())), "example");
  const auto parse = [](const std::string& text) { return ComponentTable::parse(text, "test", "table"); };
  EXPECT_SAYS(parse("{}"), "optotorch-components-1");
  EXPECT_SAYS(parse("[1"), "table");
  EXPECT_SAYS(parse(text_of({{"x", {{"loss", 1}}}})), "x.loss: expected one of the figures");
  EXPECT_SAYS(parse(text_of({{"x", {{"loss_db", -1}}}})), "x.loss_db: expected a finite number, at least 0");
  EXPECT_SAYS(parse(text_of({{"x", {{"efficiency", 2}}}})), "x.efficiency: expected at most 1");
  EXPECT_SAYS(parse(text_of({{"x", {{"rate_hz", 0}}}})), "x.rate_hz: expected a number above 0");
  EXPECT_SAYS(
      parse(R"({"format": "optotorch-components-1", "components": {"x": {"loss_db": {"value": 1}}}})"),
      "x.loss_db: expected");
}

}  // namespace
}  // namespace optotorch
