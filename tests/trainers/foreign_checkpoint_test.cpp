// Weights of the same shapes in another network, moments of the same shapes in another optimiser.

#include <gtest/gtest.h>
#include <optotorch/core/safetensors.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <optotorch/modules/optics/image_slices.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_linear.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/modules/optics/saturable_absorber.h>
#include <optotorch/modules/optics/weight_bank.h>
#include <optotorch/trainers/checkpoint.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <support/errors.h>
#include <support/temporary_folder.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/optim.h>

#include <numbers>

namespace optotorch {
namespace {

class ForeignCheckpointTest : public ::testing::Test {
 protected:
  std::string path() const { return folder_.path() + "/checkpoint.safetensors"; }

  void save(Hybrid& model) {
    const torch::optim::SGD sgd(model->parameters(), 0.1);
    save_checkpoint(path(), *model, sgd, BackPropagation(), {});
  }

  testing::TemporaryFolder folder_;
};

PhysicalNetworkOptions physical_options() {
  return PhysicalNetworkOptions(4).meshes(2);
}

Hybrid in_laboratory(const PhysicalNetworkOptions& options) {
  const auto layout = MziMesh(options.mesh())->layout();
  const std::vector<Chip> chips(2, Chip(layout, Imperfections(), 1));
  return Hybrid(PhysicalNetwork(
      std::make_shared<SimulatedSystem>(chips, SimulatedSystemOptions().activation(options.activation())),
      options));
}

TEST_F(ForeignCheckpointTest, AnOptionThatLeavesShapesAloneIsSeen) {
  const auto mesh = [] { return MziMeshOptions(4).columns(3); };
  const auto slices = [] { return ImageSlicesOptions(4, 4); };
  const double pi = std::numbers::pi;
  const std::vector<std::pair<Hybrid, Hybrid>> pairs = {
      {Hybrid(MziMesh(4)), Hybrid(MziMesh(MziMeshOptions(4).grid(MeshGrid::triangular)))},
      {Hybrid(MziMesh(mesh())), Hybrid(MziMesh(mesh().phi_arm(PhiArm::input)))},
      {Hybrid(MziMesh(mesh())), Hybrid(MziMesh(mesh().zero_state(ZeroState::bar)))},
      {Hybrid(MziMesh(mesh())), Hybrid(MziMesh(mesh().idle_port(IdlePort::bar)))},
      {Hybrid(MziLinear(4, 3)), Hybrid(MziLinear(MziLinearOptions(4, 3).zero_state(ZeroState::bar)))},
      {Hybrid(Photodetector()),
       Hybrid(Photodetector(PhotodetectorOptions().detection(Detection::amplitude)))},
      {Hybrid(Photodetector(PhotodetectorOptions().shot_noise(0.1))),
       Hybrid(Photodetector(PhotodetectorOptions().shot_noise(0.1).seed(1)))},
      {Hybrid(Modulator(4)), Hybrid(Modulator(ModulatorOptions(4).encoding(Encoding::phase)))},
      {Hybrid(ElectroOpticActivation()),
       Hybrid(ElectroOpticActivation(ElectroOpticActivationOptions().bias(pi + 1e-12)))},
      {Hybrid(SaturableAbsorber()), Hybrid(SaturableAbsorber(SaturableAbsorberOptions().depth(2.5)))},
      {Hybrid(WeightBank(4, 3)), Hybrid(WeightBank(WeightBankOptions(4, 3).gain(2)))},
      {Hybrid(ImageSlices(slices())), Hybrid(ImageSlices(slices().normalized(false)))},
      {Hybrid(torch::nn::Linear(3, 3), torch::nn::Dropout(0.1)),
       Hybrid(torch::nn::Linear(3, 3), torch::nn::Dropout(0.2))},
      {in_laboratory(physical_options()), in_laboratory(physical_options().fusion(Fusion::in_place))},
      {in_laboratory(physical_options()), in_laboratory(physical_options().internal_states(false))},
      {in_laboratory(physical_options()),
       in_laboratory(physical_options().activation(ElectroOpticActivation().ptr()))},
      {Hybrid(MziMesh(4)), Hybrid(MziMesh(4), Photodetector())}};
  for (auto [model, other] : pairs) {
    model->push_back(torch::nn::Linear(2, 2));  // a network of nothing else has no weights to load
    other->push_back(torch::nn::Linear(2, 2));
    for (int turn = 0; turn < 2; ++turn) {
      save(model);
      load_checkpoint_weights(path(), *Hybrid(std::dynamic_pointer_cast<HybridImpl>(model->clone())));
      const auto before = weights_of(*other);
      EXPECT_SAYS(load_checkpoint_weights(path(), *other), "another network");
      EXPECT_SAYS(load_checkpoint_weights(path(), *other), path());
      torch::optim::SGD sgd(other->parameters(), 0.1);
      BackPropagation rule;
      EXPECT_SAYS(load_checkpoint(path(), *other, sgd, rule), "another network");
      for (const auto& [name, tensor] : weights_of(*other)) {
        EXPECT_TRUE(tensor.equal(before.at(name))) << name;
      }
      std::swap(model, other);
    }
  }
}

TEST_F(ForeignCheckpointTest, TheOptimisersClassIsKept) {
  Hybrid model(torch::nn::Linear(3, 2));
  torch::optim::Adam adam(model->parameters(), 0.1);
  torch::optim::AdamW adamw(model->parameters(), torch::optim::AdamWOptions(0.1).weight_decay(0.5));
  BackPropagation rule;
  save_checkpoint(path(), *model, adam, rule, {});
  EXPECT_SAYS(load_checkpoint(path(), *model, adamw, rule),
              path() + ": expected a run with torch::optim::AdamW, got torch::optim::Adam");
  EXPECT_EQ(static_cast<torch::optim::AdamWOptions&>(adamw.param_groups()[0].options()).weight_decay(), 0.5);
}

TEST_F(ForeignCheckpointTest, FilesOfOlderVersionsAreRead) {
  auto model = Hybrid(MziMesh(4)), same = Hybrid(MziMesh(4));
  save(model);
  auto file = load_safetensors(path());
  torch::optim::SGD sgd(same->parameters(), 0.1);
  BackPropagation rule;
  for (const char* name : {"network", "frozen", "optimizer_class"}) {
    auto without = file;
    EXPECT_EQ(without.metadata.erase(name), 1U);
    save_safetensors(path(), without);
    EXPECT_SAYS(load_checkpoint(path(), *same, sgd, rule), c10::str(path(), ": expected '", name, "'"));
  }
  EXPECT_EQ(
      file.metadata.erase("network") + file.metadata.erase("frozen") + file.metadata.erase("optimizer_class"),
      3U);
  file.metadata["format"] = "optotorch-checkpoint-1";
  save_safetensors(path(), file);
  load_checkpoint(path(), *same, sgd, rule);
  for (const auto& [name, tensor] : weights_of(*same)) {
    EXPECT_TRUE(tensor.equal(weights_of(*model).at(name))) << name;
  }
}

}  // namespace
}  // namespace optotorch
