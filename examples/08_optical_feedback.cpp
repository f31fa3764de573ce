// A model of one's own, with a residual path, taught by direct feedback through an optical processing unit:
// taps mark where the signals enter. The unit is simulated; hardware is another Projector.
//
//     example_08 [DATA]      DATA: the folder that holds MNIST/raw; by default "data"

#include <ATen/ATen.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/projectors/opu.h>
#include <optotorch/modules/tap.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/mnist.h>
#include <optotorch/trainers/metrics.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/shallow.h>
#include <optotorch/trainers/trainer.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/loss.h>
#include <torch/optim/adam.h>

#include <iostream>

using namespace optotorch;

namespace {

constexpr int64_t width = 256;

/// Ordinary LibTorch. What leads past a tap is tapped too: the sum is made behind both.
struct ResidualImpl : torch::nn::Cloneable<ResidualImpl> {
  ResidualImpl() { reset(); }
  void reset() override {
    first = register_module("first", torch::nn::Linear(28 * 28, width));
    second = register_module("second", torch::nn::Linear(width, width));
  }
  torch::Tensor forward(const torch::Tensor& images) {
    const auto h = tap(at::tanh(first(images.flatten(1))));
    return h + tap(at::tanh(second(h)));
  }
  torch::nn::Linear first{nullptr}, second{nullptr};
};
TORCH_MODULE(Residual);

/// Test accuracy after two epochs.
double taught_by(const std::shared_ptr<Rule>& rule, const std::string& data) {
  const ImageBatches train(MNIST(data), ImageBatchesOptions(100).shuffle(true).seed(1));
  const ImageBatches test(MNIST(data, MNIST::Mode::test), ImageBatchesOptions(500));
  torch::manual_seed(1);
  Hybrid net(Residual(), torch::nn::Linear(width, 10));
  const auto adam = std::make_shared<torch::optim::Adam>(net->parameters(), torch::optim::AdamOptions(2e-3));
  Trainer trainer(net, rule, adam, torch::nn::CrossEntropyLoss(),
                  TrainerOptions().epochs(2).schedule(cosine_schedule()).progress(false));
  trainer.fit(train);
  return evaluate(*net, test);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string data = argc > 1 ? argv[1] : "data";
  // The error is shown as two ternary frames, by a modulator with two states; the camera reads their
  // projections with 10 % of noise. One projection serves every tap.
  const auto options =
      DirectFeedbackOptions().ternary(TernaryFramesOptions()).projector([](int64_t rows, int64_t columns) {
        return std::make_shared<Opu>(OpuOptions(rows, columns));
      });

  const double optical = taught_by(std::make_shared<DirectFeedback>(options), data);
  const double exact = taught_by(std::make_shared<BackPropagation>(), data);
  const double shallow = taught_by(std::make_shared<Shallow>(), data);
  std::cout << "back-propagation " << exact << ", optical feedback " << optical << ", read-out alone "
            << shallow << "\n";
  return optical > shallow + 0.02 && optical > exact - 0.03 ? 0 : 1;
}
