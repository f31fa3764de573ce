// Every kind of stage in a laboratory: errors, corrections, chains, systems far away, two laboratories with
// electronics between them.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/laboratory/chips/stage_file.h>
#include <optotorch/modules/laboratory/corrections/linear_correction.h>
#include <optotorch/modules/laboratory/corrections/screen_correction.h>
#include <optotorch/modules/laboratory/corrections/white_box_correction.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/diffractive_layer.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/phase_screen.h>
#include <optotorch/modules/optics/spectral_filter_bank.h>
#include <optotorch/modules/optics/weight_bank.h>
#include <support/differences.h>
#include <support/instruments.h>
#include <support/stages.h>
#include <support/temporary_folder.h>
#include <torch/nn/modules/linear.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace optotorch {
namespace {

using testing::central_differences;

const Imperfections stage_errors = Imperfections()
                                       .splitter_error(0.1)
                                       .phase_error(0.2)
                                       .resonance_error(0.2)
                                       .width_error(0.2)
                                       .loss_db(0.1)
                                       .aberration(0.2)
                                       .offset_error(0.3)
                                       .rotation_error(0.05)
                                       .tilt_error(1e-3)
                                       .distance_error(0.05)
                                       .gain_error(0.1)
                                       .curve_error(0.1)
                                       .amplitude_coupling(0.2);

struct StageCase {
  std::string name;
  std::function<std::shared_ptr<Stage>()> make;
};

std::vector<StageCase> stage_cases() {
  return {{"MziMesh", [] { return MziMesh(6).ptr(); }},
          {"MziMeshWithoutScreen", [] { return MziMesh(MziMeshOptions(5).screen(false)).ptr(); }},
          {"PhaseScreen", [] { return PhaseScreen(6).ptr(); }},
          {"PhaseScreenInSpace",
           [] {
             return PhaseScreen(std::vector<int64_t>{2, 3, 4}).ptr();
           }},
          {"DiffractiveLayer",
           [] {
             return DiffractiveLayer(DiffractiveLayerOptions({4, 3}).hop(
                                         HopOptions().distance(2e-3).propagation(Propagation::fresnel)))
                 .ptr();
           }},
          {"DiffractiveLayerOfTwoWavelengths",
           [] {
             return DiffractiveLayer(DiffractiveLayerOptions({2, 3})
                                         .hop(HopOptions()
                                                  .distance(2e-3)
                                                  .wavelengths({532e-9, 633e-9})
                                                  .propagation(Propagation::fresnel))
                                         .modulation(Modulation::both)
                                         .oversampling(2)
                                         .fill_factor(0.8)
                                         .output({5, 4}))
                 .ptr();
           }},
          {"DiffractiveLayerOfAmplitudes",
           [] {
             return DiffractiveLayer(DiffractiveLayerOptions({3, 3}).modulation(Modulation::amplitude)).ptr();
           }},
          {"WeightBank", [] { return WeightBank(WeightBankOptions(6, 4).gain(1.5)).ptr(); }},
          {"SpectralFilterBank",
           [] {
             return SpectralFilterBank(SpectralFilterBankOptions(14, 3).window(4).width(0.1).bandwidth(0.1))
                 .ptr();
           }},
          {"SpectralFilterBankOfRings",
           [] {
             return SpectralFilterBank(SpectralFilterBankOptions(12, 2)
                                           .kind(FilterKind::ring)
                                           .delay(2)
                                           .order(2)
                                           .window(6)
                                           .bandwidth(0))
                 .ptr();
           }},
          {"WeightBankWithoutBias", [] { return WeightBank(WeightBankOptions(3, 5).bias(false)).ptr(); }}};
}

class StagesTest : public ::testing::TestWithParam<StageCase> {
 protected:
  StagesTest() {
    torch::manual_seed(5);
    stage = GetParam().make();
    stage->to(torch::kFloat64);
    const auto design = stage->design();
    auto shape = design.input;
    shape.insert(shape.begin(), 3);
    x = torch::randn(shape, design.takes_field ? torch::kComplexDouble : torch::kDouble);
    auto out = design.output;
    out.insert(out.begin(), 3);
    dL_dy = torch::randn(out, design.delivers_field ? torch::kComplexDouble : torch::kDouble);
    for (const auto& error : stage->errors()) {
      given[error.name] = (torch::randn(error.shape, torch::kDouble) * std::min(0.1, error.unit))
                              .clamp(error.least, error.most);
    }
  }

  /// Re <dL_dy, y>.
  double loss(const torch::Tensor& y) const {
    return (y.is_complex() ? at::real(dL_dy.conj() * y) : dL_dy * y).sum().item<double>();
  }

  std::shared_ptr<Stage> stage;
  torch::Tensor x, dL_dy;
  Values given;
};

double distance(const torch::Tensor& a, const torch::Tensor& b) {
  return a.sizes() == b.sizes() ? (a - b).abs().max().item<double>() : 1e9;
}

TEST_P(StagesTest, WithoutErrorsItIsTheLayer) {
  EXPECT_LT(distance(stage->respond(x, stage->commands(), {}), stage->forward(x)), 1e-13);
  const auto pass = stage->propagate(x);
  const auto down = stage->pullback(pass, dL_dy);
  const auto g = stage->respond_backward(dL_dy, x, pass.output, stage->commands(), {}, {});
  EXPECT_LT(distance(g.dL_dx, down), 1e-12);
  for (const auto& item : stage->named_parameters()) {
    ASSERT_TRUE(g.commands.contains(item.key())) << item.key();
    EXPECT_LT(distance(g.commands.at(item.key()), item.value().grad()), 1e-12) << item.key();
  }
}

TEST_P(StagesTest, GradientsAreCentralDifferences) {
  auto commands = stage->commands();
  for (auto& [name, value] : commands) {
    value = value.clone();
  }
  const auto value_of = [&] { return loss(stage->respond(x, commands, given)); };
  const auto y = stage->respond(x, commands, given);
  const auto g = stage->respond_backward(dL_dy, x, y, commands, given, {});
  for (auto& [name, value] : commands) {
    EXPECT_LT(distance(g.commands.at(name), central_differences(value_of, value)), 1e-7) << name;
  }
  for (const auto& error : stage->errors()) {
    auto& value = given.at(error.name);
    ASSERT_TRUE(g.errors.contains(error.name)) << error.name;
    // An angle turns many waves: its step is as small as its unit, and its slope as large.
    EXPECT_LT(distance(g.errors.at(error.name), central_differences(value_of, value, 1e-4 * error.unit)) *
                  error.unit,
              1e-7)
        << error.name;
  }
  auto real = x.is_complex() ? at::view_as_real(x) : x;
  const auto dL_dx = x.is_complex() ? at::view_as_real(g.dL_dx) : g.dL_dx;
  EXPECT_LT(distance(dL_dx, central_differences(value_of, real)), 1e-7);
}

TEST_P(StagesTest, GradientsAskedForAloneAreTheSame) {
  const auto commands = stage->commands();
  const auto y = stage->respond(x, commands, given);
  const auto pull = [&](const Stage::Wanted& wanted) {
    return stage->respond_backward(dL_dy, x, y, commands, given, wanted);
  };
  const auto all = pull({});
  EXPECT_LT(distance(pull({.commands = false, .errors = false}).dL_dx, all.dL_dx), 1e-13);
  const auto expect_same = [](const Values& alone, const Values& together) {
    for (const auto& [name, value] : together) {
      ASSERT_TRUE(alone.contains(name)) << name;
      EXPECT_LT(distance(alone.at(name), value), 1e-13 * (1 + value.abs().max().item<double>())) << name;
    }
  };
  expect_same(pull({.input = false, .errors = false}).commands, all.commands);
  expect_same(pull({.input = false, .commands = false}).errors, all.errors);
}

TEST_P(StagesTest, CorrectionsPullBackWhatTheyPredict) {
  std::vector<std::shared_ptr<Correction>> all = {
      std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(*stage)),
      std::make_shared<LinearCorrection>(stage->design())};
  if (stage->design().delivers_field) {
    all.push_back(std::make_shared<ScreenCorrection>(stage->design()));
  }
  for (const auto& correction : all) {
    SCOPED_TRACE(correction->name());
    correction->to(torch::kFloat64);
    EXPECT_LT(distance(correction->predict(*stage, x).s, stage->forward(x)), 1e-12) << "at zero";
    const torch::NoGradGuard no_grad;
    for (auto& parameter : correction->parameters()) {
      parameter.add_(torch::rand_like(parameter), 0.1);
    }
    const auto value_of = [&] { return loss(correction->predict(*stage, x, 0.7).s); };
    const auto prediction = correction->predict(*stage, x, 0.7);
    stage->zero_grad();
    const auto down = correction->pullback(*stage, prediction, dL_dy, Correction::Learns::stage);
    correction->pullback(*stage, prediction, dL_dy, Correction::Learns::correction, false);
    for (auto* module :
         {static_cast<torch::nn::Module*>(stage.get()), static_cast<torch::nn::Module*>(correction.get())}) {
      for (const auto& item : module->named_parameters()) {
        auto value = item.value();
        ASSERT_TRUE(value.grad().defined()) << item.key();
        EXPECT_LT(distance(value.grad(), central_differences(value_of, value)), 1e-7) << item.key();
      }
    }
    auto real = x.is_complex() ? at::view_as_real(x) : x;
    EXPECT_LT(distance(x.is_complex() ? at::view_as_real(down) : down, central_differences(value_of, real)),
              1e-7);
  }
}

TEST_P(StagesTest, WhatIsBuiltHasTheErrorsOfItsSeed) {
  const auto one = built(*stage, stage_errors, 3), same = built(*stage, stage_errors, 3),
             other = built(*stage, stage_errors, 4), perfect = built(*stage, Imperfections(), 3);
  std::vector<torch::Tensor> delivered;
  for (const auto& hardware : {one, same, other, perfect}) {
    EXPECT_EQ(hardware->design(), stage->design());
    hardware->command(stage->commands());
    delivered.push_back(hardware->respond(x));
  }
  EXPECT_TRUE(delivered[0].equal(delivered[1]));
  EXPECT_GT(distance(delivered[0], delivered[2]), 1e-3);
  EXPECT_GT(distance(delivered[0], delivered[3]), 1e-3);
  EXPECT_LT(distance(delivered[3], stage->forward(x)), 1e-13);
  if (GetParam().name.starts_with("MziMesh")) {
    return;  // a chip's loss is in no white box
  }
  EXPECT_LT(distance(delivered[0], stage->respond(x, stage->commands(), one->errors())), 1e-13);
}

TEST_P(StagesTest, ErrorsOfAnHourAreAFunctionOfIt) {
  const auto now = built(*stage, Imperfections(stage_errors).drift(0.1).error_drift(0.2), 3);
  const auto delivered = [&](const std::shared_ptr<BuiltStage>& hardware) {
    hardware->command(stage->commands());
    return hardware->respond(x);
  };
  const auto first = delivered(now), later = delivered(now->at(5));
  EXPECT_TRUE(delivered(now->at(0)).equal(first));
  EXPECT_GT(distance(first, later), 1e-3);
  EXPECT_TRUE(delivered(now->at(7)->at(5)).equal(later));
  const auto still = built(*stage, stage_errors, 3);
  EXPECT_TRUE(delivered(still).equal(first));
  EXPECT_TRUE(delivered(still->at(5)).equal(first));
  expect_complaint({"at", "hours", "0 to 10000", "-1"}, [&] { now->at(-1); });
}

TEST_P(StagesTest, AFileKeepsEveryBit) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() + "/stages.safetensors";
  const auto errors = Imperfections(stage_errors).drift(0.1).error_drift(0.2).relative_noise(0.1);
  const auto saved = built(*stage, errors, -3)->at(1.0 / 3);
  save_stages(path, {saved, built(*stage, Imperfections(), 0)});
  const auto loaded = load_stages(path);
  ASSERT_EQ(loaded.size(), 2U);
  EXPECT_EQ(loaded[0]->design(), saved->design());
  for (const double hours : {-1.0, 7.7}) {
    const auto there = hours < 0 ? saved : saved->at(hours),
               here = hours < 0 ? loaded[0] : loaded[0]->at(hours);
    there->command(stage->commands());
    here->command(stage->commands());
    const auto y = there->respond(x);
    EXPECT_TRUE(here->respond(x).equal(y));
    const auto ideal = y.is_complex() ? y.abs().square() : y;
    EXPECT_TRUE(here->read_out(ideal, 5).equal(there->read_out(ideal, 5)));
  }
  loaded[1]->command(stage->commands());
  EXPECT_LT(distance(loaded[1]->respond(x), stage->forward(x)), 1e-13);
}

TEST(StagesDriftTest, ErrorsWalkAsFarAsTheyShould) {
  const auto now = built(*PhaseScreen(4000), Imperfections().phase_error(0.2).error_drift(0.5), 3);
  const auto walked =
      (now->at(9)->errors().at("phase_offset") - now->errors().at("phase_offset")) / (0.2 * 0.5 * 3);
  EXPECT_NEAR(walked.mean().item<double>(), 0, 0.07);
  EXPECT_NEAR(walked.square().mean().item<double>(), 1, 0.1);
}

TEST_P(StagesTest, ANetworkWithTheTruthIsTheHardware) {
  const auto without_loss = Imperfections(stage_errors).loss_db(0);
  auto hardware = built(*stage, without_loss, 3);
  const auto system = std::make_shared<SimulatedSystem>(std::vector<std::shared_ptr<BuiltStage>>{hardware});
  PhysicalNetwork network(system, std::vector<std::shared_ptr<Stage>>{stage},
                          PhysicalNetworkOptions().detection(Detection::intensity));
  network->to(torch::kFloat64);
  auto truth = std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(*stage));
  truth->to(torch::kFloat64);
  truth->set_errors(hardware->errors());
  network->set_corrections({truth});
  const auto measured = network->forward(x);
  const auto predicted = network->model(x, nullptr).back().prediction.s;
  EXPECT_LT(distance(predicted.is_complex() ? predicted.abs().square() : predicted, measured), 1e-12);
  // The pull-back of the corrected model is the slope of what is measured.
  const auto w = torch::randn(measured.sizes(), torch::kDouble);
  network->zero_grad();
  network->pullback(network->propagate(x), w);
  const auto value_of = [&] {
    const torch::NoGradGuard no_grad;
    return (network->forward(x) * w).sum().item<double>();
  };
  for (const auto& item : network->named_parameters()) {
    auto value = item.value();
    EXPECT_LT(distance(value.grad(), central_differences(value_of, value)), 1e-6) << item.key();
  }
}

TEST_P(StagesTest, FarAwayItIsTheSame) {
  const auto folder = std::filesystem::temp_directory_path() / c10::str("optotorch-stages-", ::getpid());
  std::filesystem::create_directories(folder);
  {
    const auto make = [&] {
      return SimulatedSystem(std::vector<std::shared_ptr<BuiltStage>>{
          built(*stage, Imperfections(stage_errors).relative_noise(0.1), 3)});
    };
    auto lent = make();
    auto here = make();
    const testing::instruments::Served served(lent, "unix:" + (folder / "instrument").string(),
                                              InstrumentServerOptions().samples(2));
    const auto far = RemoteSystem::connect(served.server.address());
    ASSERT_EQ(far->stages(), here.stages());
    far->set_commands({stage->commands()});
    here.set_commands({stage->commands()});
    EXPECT_LT(distance(far->measure(x).output(), here.measure(x).output()), 1e-12);
  }
  std::filesystem::remove_all(folder);
}

TEST_P(StagesTest, WrongCommandsChangeNothing) {
  SimulatedSystem system(std::vector<std::shared_ptr<BuiltStage>>{built(*stage, stage_errors, 3)});
  auto commands = stage->commands();
  const auto name = commands.begin()->first;
  for (const auto& bad :
       {torch::Tensor(), torch::zeros({1, 1, 7}), torch::zeros_like(commands.at(name)).to(torch::kLong),
        torch::full_like(commands.at(name), std::nan(""))}) {
    auto wrong = commands;
    wrong[name] = bad;
    const bool may_be_left_out = !bad.defined() && name == "gamma" && GetParam().name == "MziMesh";
    if (!may_be_left_out) {
      expect_complaint({"PhysicalSystem", name}, [&] { system.set_commands({wrong}); });
    }
  }
  commands["voltage"] = torch::zeros(1);
  expect_complaint({"PhysicalSystem", "voltage"}, [&] { system.set_commands({commands}); });
  EXPECT_EQ(system.commands(), 0);
}

INSTANTIATE_TEST_SUITE_P(All, StagesTest, ::testing::ValuesIn(stage_cases()),
                         [](const auto& info) { return info.param.name; });

TEST(StagesChainTest, DifferentStagesStandInARow) {
  torch::manual_seed(2);
  const auto screen = PhaseScreen(6).ptr();
  const auto mesh = MziMesh(6).ptr();
  const auto nonlinearity = ElectroOpticActivation().ptr();
  const std::vector<std::shared_ptr<Stage>> row{screen, mesh, MziMesh(6).ptr()};
  const std::vector<std::shared_ptr<Layer>> between{nullptr, nonlinearity};
  std::vector<std::shared_ptr<BuiltStage>> hardware;
  for (const auto& stage : row) {
    stage->to(torch::kFloat64);
    hardware.push_back(built(*stage, stage_errors, static_cast<int64_t>(hardware.size())));
  }
  const auto system =
      std::make_shared<SimulatedSystem>(hardware, SimulatedSystemOptions().between(between).monitors(true));
  PhysicalNetwork network(system, row,
                          PhysicalNetworkOptions().between(between).detection(Detection::intensity));
  network->to(torch::kFloat64);
  const auto x = torch::randn({4, 6}, torch::kComplexDouble);
  const auto pass = network->propagate(x);
  auto light = hardware[0]->respond(x);
  light = nonlinearity->forward(hardware[1]->respond(light));
  EXPECT_LT(distance(pass.output, hardware[2]->respond(light).abs().square()), 1e-12);
  EXPECT_EQ(network->footprint()[parts::phase_shifters], 6 + 2 * (2 * 15 + 6));
  expect_complaint({"PhysicalNetwork", "system", "PhaseScreen"}, [&] {
    PhysicalNetwork(system, std::vector<std::shared_ptr<Stage>>{mesh, mesh, mesh},
                    PhysicalNetworkOptions().between(between));
  });
  expect_complaint({"PhysicalNetwork", "activation"},
                   [&] { PhysicalNetwork(system, row, PhysicalNetworkOptions()); });
}

}  // namespace
}  // namespace optotorch
