// Frozen parameters: under the rules for a laboratory, and in checkpoints.

#include <optotorch/core/safetensors.h>
#include <optotorch/trainers/checkpoint.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/laboratory/adaptive_training.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <optotorch/trainers/rules/laboratory/in_silico.h>
#include <optotorch/trainers/rules/laboratory/physics_aware.h>
#include <support/errors.h>
#include <support/laboratories.h>
#include <support/mesh_cases.h>
#include <support/stages.h>
#include <support/temporary_folder.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>

namespace optotorch::testing::laboratories {
namespace {

class FrozenTest : public OneThreadTest {};

TEST_F(FrozenTest, MeshesAndCorrectionsOfALaboratoryStay) {
  const std::vector<std::function<std::unique_ptr<Rule>()>> rules = {
      [] { return std::make_unique<InSilico>(); },
      [] { return std::make_unique<PhysicsAware>(); },
      [] { return std::make_unique<AdaptiveTraining>(100); },
      [] { return std::make_unique<DualAdaptive>(DualAdaptiveOptions().similarity_to_phases(.5)); },
  };
  for (const auto& make : rules) {
    torch::manual_seed(12);
    auto network = network_of(simulated());
    const auto corrections = correct(*network);
    Hybrid net(network);
    freeze(*meshes_of(*network)[1]);
    corrections[0]->error("phi_offset").requires_grad_(false);
    const auto rule = make();
    SCOPED_TRACE(rule->name());
    torch::optim::Adam adam(net->parameters(), torch::optim::AdamOptions(1e-2).weight_decay(.1));
    const auto before = testing::copies(testing::parameters_of(*network));
    for (int step = 0; step < 3; ++step) {
      adam.zero_grad();
      rule->step(*net, fields(), targets(), cross_entropy);
      adam.step();
    }
    for (const auto& item : network->named_parameters()) {
      // Adaptive training teaches what is behind its first mesh.
      const bool stays = item.key()[0] == '1' || (item.key()[0] == '0' && rule->name() == "at");
      EXPECT_EQ(item.value().equal(before.at(item.key())), stays) << item.key();
    }
    EXPECT_FALSE(corrections[0]->error("phi_offset").any().item<bool>());
    EXPECT_EQ(corrections[0]->error("theta_offset").any().item<bool>(), rule->name() == "dat");
  }
}

TEST_F(FrozenTest, CheckpointsKeepIt) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.path() + "/checkpoint.safetensors";
  const auto make = [] { return Hybrid(MziMesh(4), Photodetector(), torch::nn::Linear(4, 3)); };
  const auto optimiser_of = [](const Hybrid& net) { return torch::optim::Adam(net->parameters()); };
  BackPropagation rule;
  auto net = make();
  freeze(net->layer(0));
  net->layer(2).parameters()[1].requires_grad_(false);
  const std::vector<std::string> frozen{"0.theta", "0.phi", "0.gamma", "2.bias"};
  auto adam = optimiser_of(net);
  save_checkpoint(path, *net, adam, rule, {});
  for (const bool frozen_before : {false, true}) {
    auto resumed = make();
    if (frozen_before) {
      freeze(*resumed);
    }
    auto other = optimiser_of(resumed);
    load_checkpoint(path, *resumed, other, rule);
    EXPECT_EQ(frozen_parameters(*resumed), frozen);
  }
  // Files from before they said so change nothing.
  auto file = load_safetensors(path);
  file.metadata.erase("frozen");
  file.metadata["format"] = "optotorch-checkpoint-1";
  save_safetensors(path, file);
  auto resumed = make();
  auto other = optimiser_of(resumed);
  load_checkpoint(path, *resumed, other, rule);
  EXPECT_TRUE(frozen_parameters(*resumed).empty());
  file.metadata["frozen"] = "0.theta\n7.weight";
  save_safetensors(path, file);
  const auto before = testing::copies(testing::parameters_of(*resumed));
  EXPECT_SAYS(load_checkpoint(path, *resumed, other, rule), "7.weight");
  EXPECT_TRUE(frozen_parameters(*resumed).empty());
  testing::expect_equal(testing::parameters_of(*resumed), before);
}

}  // namespace
}  // namespace optotorch::testing::laboratories
