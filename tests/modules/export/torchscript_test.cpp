#include <gtest/gtest.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <optotorch/modules/optics/fourier_lens.h>
#include <optotorch/modules/optics/mod_relu.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_linear.h>
#include <optotorch/modules/optics/phase_screen.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/modules/optics/saturable_absorber.h>
#include <optotorch/modules/optics/weight_bank.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>

#include <filesystem>

namespace optotorch {
namespace {

/// Every kind of layer in one network for images of 12 x 12.
Hybrid network(Detection detection) {
  const int64_t readings = detection == Detection::balanced ? 4 : detection == Detection::coherent ? 16 : 8;
  return Hybrid(
      FourierLens(4), MziMesh(MziMeshOptions(16).imperfect(true)), ElectroOpticActivation(), PhaseScreen(16),
      SaturableAbsorber(), MziLinear(16, 8), ModRelu(8),
      Photodetector(PhotodetectorOptions().detection(detection).shot_noise(0.1)),
      torch::nn::BatchNorm1d(readings), WeightBank(WeightBankOptions(readings, 6).bits(5)), torch::nn::Tanh(),
      torch::nn::Dropout(0.5), Modulator(ModulatorOptions(6).encoding(Encoding::phase)), MziMesh(6),
      torch::nn::Unflatten(torch::nn::UnflattenOptions(1, {2, 3})), MziMesh(MziMeshOptions(3).meshes(2)),
      torch::nn::Flatten(), Photodetector(), torch::nn::Linear(6, 3));
}

class TorchscriptTest : public ::testing::TestWithParam<Detection> {
 protected:
  std::string path_ =
      std::filesystem::temp_directory_path() / ("optotorch_" + std::to_string(::getpid()) + ".pt");
  void TearDown() override { std::filesystem::remove(path_); }
};

TEST_P(TorchscriptTest, ReloadsToTheSameOutputsAtAnyBatchSize) {
  for (const auto type : {torch::kFloat64, torch::kFloat32}) {
    torch::manual_seed(3);
    auto model = network(GetParam());
    model->to(type);
    model->forward(torch::rand({32, 1, 12, 12}, type));  // moves BatchNorm's statistics
    EXPECT_LE(export_torchscript(model, torch::rand({4, 1, 12, 12}, type), path_),
              type == torch::kFloat64 ? 0 : 1e-6);
    EXPECT_TRUE(model->is_training()) << "the mode is put back";
    model->eval();
    auto reloaded = torch::jit::load(path_);
    for (const int64_t batch : {1, 3, 50}) {
      const auto x = torch::rand({batch, 1, 12, 12}, type);
      const auto expected = model->forward(x), got = reloaded.forward({x}).toTensor();
      const double difference = (expected - got).abs().max().item<double>();
      EXPECT_LE(difference, type == torch::kFloat64 ? 0 : 1e-6 * expected.abs().max().item<double>())
          << batch;
    }
    EXPECT_EQ(reloaded.get_method("forward").graph()->toString().find("optotorch"), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(Detections, TorchscriptTest,
                         ::testing::Values(Detection::intensity, Detection::amplitude, Detection::balanced,
                                           Detection::coherent));

TEST_F(TorchscriptTest, RefusesAnExampleThatDoesNotFitAndWritesNothing) {
  auto model = network(Detection::intensity);
  EXPECT_THROW(export_torchscript(model, torch::rand({4, 1, 3, 3}), path_), c10::ValueError);
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_THROW(export_torchscript(model, torch::rand({4, 1, 12, 12}), "/nowhere/model.pt"), c10::ValueError);
}

}  // namespace
}  // namespace optotorch
