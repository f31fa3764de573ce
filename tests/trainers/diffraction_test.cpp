// Guided optics, free space and electronics in one network, by every rule.

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/laboratory/corrections/white_box_correction.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/camera.h>
#include <optotorch/modules/optics/diffractive_layer.h>
#include <optotorch/modules/optics/free_space.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/port_array.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <optotorch/trainers/rules/laboratory/identify.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>
#include <torch/utils.h>

#include <cstdio>
#include <memory>
#include <vector>

namespace optotorch {
namespace {

const auto hop = HopOptions().distance(2e-3).propagation(Propagation::fresnel);
const std::vector<int64_t> window{12, 12};

PortArray couplers() {
  return PortArray(PortArrayOptions({3, 3}, window).side(2));
}

/// Nine values, and which of three groups of them is the largest: no linear map of the light finds it.
std::pair<torch::Tensor, torch::Tensor> task(int64_t count) {
  const auto x = torch::rand({count, 9});
  return {x, std::get<1>(x.view({count, 3, 3}).sum(2).max(1))};
}

/// Loss before and behind some steps of a rule.
std::pair<double, double> teach(Hybrid& net, Rule& rule) {
  const auto [values, groups] = task(128);
  const torch::Tensor x = values, y = groups;
  torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(.02));
  const Loss loss = [](const torch::Tensor& output, const torch::Tensor& target) {
    return torch::nn::functional::cross_entropy(output, target);
  };
  const auto measure = [&] {
    const torch::NoGradGuard no_grad;
    return loss(net->forward(x), y).item<double>();
  };
  const double before = measure();
  for (int step = 0; step < 60; ++step) {
    optimizer.zero_grad();
    rule.step(*net, x, y, loss);
    optimizer.step();
  }
  return {before, measure()};
}

TEST(DiffractionTest, AMeshAPlaneACameraAndALayerLearnTogether) {
  const std::vector<std::shared_ptr<Rule>> rules = {
      std::make_shared<BackPropagation>(), std::make_shared<DirectFeedback>(),
      std::make_shared<TwoPassForward>(
          TwoPassForwardOptions().feedback(Feedback::twin).presynaptic(Presynaptic::clean).strength(.1))};
  for (const auto& rule : rules) {
    torch::manual_seed(3);
    Hybrid net(Modulator(9), MziMesh(9), couplers(), FreeSpace(FreeSpaceOptions(window).hop(hop)),
               DiffractiveLayer(DiffractiveLayerOptions(window).hop(hop)), Camera(), torch::nn::Flatten(),
               torch::nn::Linear(144, 3));
    const auto start = net->layer(1).parameters()[0].detach().clone();
    const auto plane = net->layer(4).parameters()[0].detach().clone();
    const auto [before, behind] = teach(net, *rule);
    EXPECT_LT(behind, before - .05) << rule->name();
    EXPECT_FALSE(net->layer(1).parameters()[0].equal(start)) << rule->name();
    EXPECT_FALSE(net->layer(4).parameters()[0].equal(plane)) << rule->name();
  }
}

TEST(DiffractionTest, AMeshLearnsBeforeAPlaneThatIsMeasured) {
  torch::manual_seed(3);
  const auto plane = DiffractiveLayer(DiffractiveLayerOptions(window).hop(hop)).ptr();
  const auto errors = Imperfections().phase_error(.2).offset_error(.3).gain_error(.05);
  const auto system =
      std::make_shared<SimulatedSystem>(std::vector<std::shared_ptr<BuiltStage>>{built(*plane, errors, 2)});
  PhysicalNetwork measured(system, std::vector<std::shared_ptr<Stage>>{plane},
                           PhysicalNetworkOptions().detection(Detection::intensity));
  measured->set_corrections({std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(*plane))});
  Hybrid net(Modulator(9), MziMesh(9), couplers(), FreeSpace(FreeSpaceOptions(window).hop(hop)), measured,
             torch::nn::Flatten(), torch::nn::Linear(144, 3));
  const auto start = net->layer(1).parameters()[0].detach().clone();
  DualAdaptive rule(DualAdaptiveOptions().compared(Compared::amplitudes).rate(.02).steps(60));
  const auto [before, behind] = teach(net, rule);
  EXPECT_LT(behind, before - .05);
  EXPECT_LT(rule.similarity_loss(), .1);
  EXPECT_FALSE(net->layer(1).parameters()[0].equal(start));
}

/// Spots of light anywhere.
class Spots : public BatchSource {
 public:
  int64_t size() const override { return 1 << 20; }
  Batch batch(int64_t, int64_t index) const override {
    auto generator = at::detail::createCPUGenerator(static_cast<uint64_t>(index));
    const auto coarse = torch::rand({6, 1, 4, 4}, generator);
    return {coarse.repeat_interleave(4, 2).repeat_interleave(4, 3).to(torch::kComplexFloat), {}};
  }
};

TEST(DiffractionTest, OneCameraFindsManyPlanesThatAreClearedInTurn) {
  const auto near = HopOptions().distance(8e-3).propagation(Propagation::fresnel);
  const auto errors = Imperfections().rotation_error(.15).offset_error(.3);
  const auto left = [&](double cleared) {
    torch::manual_seed(5);
    std::vector<std::shared_ptr<Stage>> planes;
    std::vector<std::shared_ptr<BuiltStage>> hidden;
    std::vector<std::shared_ptr<Correction>> corrections;
    for (int64_t n = 0; n < 4; ++n) {
      planes.push_back(DiffractiveLayer(DiffractiveLayerOptions({16, 16}).hop(near)).ptr());
      hidden.push_back(built(*planes.back(), errors, n));
      corrections.push_back(std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(*planes.back())));
    }
    PhysicalNetwork network(
        std::make_shared<SimulatedSystem>(hidden, SimulatedSystemOptions().monitors(false)), planes,
        PhysicalNetworkOptions().detection(Detection::intensity));
    network->set_corrections(corrections);
    const auto losses = identify(*network, Spots(),
                                 IdentifyOptions()
                                     .batches(80)
                                     .rate(.03)
                                     .cleared(cleared)
                                     .similarity(Similarity::output)
                                     .compared(Compared::amplitudes));
    std::printf("cleared %.0f: similarity loss %.4f\n", cleared, losses.back());
    return losses.back();
  };
  const double found = left(1);
  EXPECT_LT(found, .15);
  EXPECT_GT(left(0), 2 * found);
}

}  // namespace
}  // namespace optotorch
