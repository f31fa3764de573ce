// A whole training on a device that has no kernel of ours: epochs, evaluation, checkpoints, resume in mid-epoch.

#include <devices/other_device.h>
#include <gtest/gtest.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/modules/optics/ternary_readout.h>
#include <optotorch/modules/projectors/dense_projector.h>
#include <optotorch/modules/projectors/hadamard_projector.h>
#include <optotorch/modules/projectors/opu.h>
#include <optotorch/modules/projectors/streamed_projector.h>
#include <optotorch/modules/weights.h>
#include <optotorch/trainers/rules/annealing.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <optotorch/trainers/trainer.h>
#include <support/differences.h>
#include <support/losses.h>
#include <support/temporary_folder.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>

#include <ATen/CPUGeneratorImpl.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

namespace optotorch {
namespace {

using testing::expect_close;
using testing::other_device;

constexpr int64_t ports = 6, classes = 3, at_once = 8;

/// Batches of the CPU, as data sets are; fails once at the batch `failing`, as a kill would.
class BatchesOfTheCpu : public BatchSource {
 public:
  explicit BatchesOfTheCpu(int64_t failing = -1) : failing_(failing) {}
  int64_t size() const override { return 5; }
  Batch batch(int64_t epoch, int64_t index) const override {
    const int64_t number = size() * epoch + index;
    if (number == failing_) {
      throw std::runtime_error("stopped");
    }
    auto numbers = at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(number));
    const auto x = torch::rand({at_once, ports}, numbers, torch::kDouble);
    return {x, x.narrow(1, 0, classes).argmax(1)};
  }

 private:
  int64_t failing_;
};

using MakeRule = std::function<std::shared_ptr<Rule>()>;

struct TrainedOn {
  TrainedOn(torch::Device device, const MakeRule& make, const BatchSource& batches,
            const std::string& folder = "") {
    torch::manual_seed(5);
    net->push_back(Modulator(ports));
    net->push_back(MziMesh(MziMeshOptions(ports)));
    net->push_back(Photodetector());
    net->push_back(torch::nn::Dropout(.2));
    net->push_back(torch::nn::Linear(ports, classes));
    net->to(torch::kFloat64);
    net->to(device);
    const auto rule = make();
    const auto adam = std::make_shared<torch::optim::Adam>(net->parameters(), torch::optim::AdamOptions(.02));
    Trainer trainer(
        net, rule, adam, testing::class_loss,
        TrainerOptions().epochs(4).progress(false).folder(folder).resume(true).checkpoint_steps(3));
    result = trainer.fit(batches, nullptr, &batches);
  }

  Hybrid net;
  FitResult result;
};

class DeviceTrainingTest : public ::testing::TestWithParam<std::pair<const char*, MakeRule>> {};

TEST_P(DeviceTrainingTest, LearnsWhatItDoesOnTheCpu) {
  const BatchesOfTheCpu batches;
  const auto& make = GetParam().second;
  const TrainedOn here(torch::kCPU, make, batches), there(other_device, make, batches);
  ASSERT_EQ(there.result.epochs.size(), 4U);
  EXPECT_NEAR(there.result.epochs.back().train_loss, here.result.epochs.back().train_loss, 1e-9);
  const auto expected = weights_of(*here.net);
  for (const auto& [name, value] : weights_of(*there.net)) {
    EXPECT_EQ(value.device().type(), other_device) << name;
    expect_close(value.cpu(), expected.at(name), 1e-7, name);
  }
}

TEST_P(DeviceTrainingTest, ResumesWithTheSameBits) {
  const auto& make = GetParam().second;
  const TrainedOn whole(other_device, make, BatchesOfTheCpu());
  const testing::TemporaryFolder folder;
  EXPECT_THROW(TrainedOn(other_device, make, BatchesOfTheCpu(/*failing=*/7), folder.path()),
               std::runtime_error);
  const TrainedOn resumed(other_device, make, BatchesOfTheCpu(), folder.path());
  EXPECT_TRUE(resumed.result.resumed);
  const auto expected = weights_of(*whole.net);
  for (const auto& [name, value] : weights_of(*resumed.net)) {
    EXPECT_EQ(value.device().type(), other_device) << name;
    EXPECT_TRUE(value.cpu().equal(expected.at(name).cpu())) << name;
  }
}

template <typename Projecting>
MakeRule feedback_through(bool ternary = false) {
  return [ternary]() -> std::shared_ptr<Rule> {
    auto options =
        DirectFeedbackOptions().projector([](int64_t rows, int64_t columns) -> std::shared_ptr<Projector> {
          if constexpr (std::is_same_v<Projecting, Opu>) {
            return std::make_shared<Opu>(OpuOptions(rows, columns).seed(3).model(OpuModel::camera));
          } else {
            return std::make_shared<Projecting>(rows, columns, 3);
          }
        });
    return std::make_shared<DirectFeedback>(ternary ? options.ternary(TernaryFramesOptions()) : options);
  };
}

INSTANTIATE_TEST_SUITE_P(All, DeviceTrainingTest,
                         ::testing::ValuesIn(std::vector<std::pair<const char*, MakeRule>>{
                             {"BackPropagation", [] { return std::make_shared<BackPropagation>(); }},
                             {"TwoPassForward",
                              [] { return std::make_shared<TwoPassForward>(TwoPassForwardOptions()); }},
                             {"DenseProjector", feedback_through<DenseProjector>()},
                             {"StreamedProjector", feedback_through<StreamedProjector>()},
                             {"HadamardProjector", feedback_through<HadamardProjector>()},
                             {"Opu", feedback_through<Opu>(/*ternary=*/true)}}),
                         [](const auto& info) { return info.param.first; });

TEST(DeviceTrainingAnnealingTest, AnnealingSearchesTheSameWeights) {
  torch::Tensor expected;
  for (const auto device : {torch::kCPU, other_device}) {
    torch::manual_seed(4);
    Hybrid net;
    net->push_back(TernaryReadout(DiscreteReadoutOptions(12, classes)));
    net->to(device);
    const auto x = torch::rand({20, 12}), target = torch::randint(0, classes, {20}, torch::kLong);
    Annealing(AnnealingOptions().n0(3).trials(50))
        .step(*net, x.to(device), target.to(device), testing::class_loss);
    const auto weight = weights_of(*net).at("0.weight");
    EXPECT_EQ(weight.device().type(), device);
    EXPECT_TRUE(!expected.defined() || weight.cpu().equal(expected));
    expected = weight.cpu();
  }
}

}  // namespace
}  // namespace optotorch
