// A LeNet of torch::nn, trained as ever, becomes optical with the same weights: every convolution and linear
// layer a pair of Mach-Zehnder meshes with a row of amplitudes between, or a bank of microrings. The optical
// network then learns on by direct feedback, which needs no backward pass, and goes back into electronics.
//
//     example_11 [DATA]      DATA: the folder that holds MNIST/raw; by default "data"

#include <ATen/ATen.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/convert.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/mnist.h>
#include <optotorch/trainers/metrics.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/pooling.h>
#include <torch/optim/adam.h>
#include <torch/utils.h>

#include <iostream>

using namespace optotorch;
using torch::nn::Conv2dOptions;

int main(int argc, char** argv) {
  const std::string data = argc > 1 ? argv[1] : "data";
  const ImageBatches train(MNIST(data), ImageBatchesOptions(50).shuffle(true).seed(1));
  const ImageBatches test(MNIST(data, MNIST::Mode::test), ImageBatchesOptions(500));

  torch::manual_seed(1);
  torch::nn::Sequential net(torch::nn::Conv2d(Conv2dOptions(1, 6, 5).padding(2)), torch::nn::ReLU(),
                            torch::nn::MaxPool2d(2), torch::nn::Conv2d(Conv2dOptions(6, 16, 5)),
                            torch::nn::ReLU(), torch::nn::MaxPool2d(2), torch::nn::Flatten(),
                            torch::nn::Linear(400, 120), torch::nn::ReLU(), torch::nn::Linear(120, 84),
                            torch::nn::ReLU(), torch::nn::Linear(84, 10));
  torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(2e-3));
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    for (const auto& [images, labels] : train.epoch(epoch)) {
      optimizer.zero_grad();
      torch::nn::functional::cross_entropy(net->forward(images), labels).backward();
      optimizer.step();
    }
  }
  Hybrid electronic(net);

  // Meshes everywhere; rings where the map names a layer.
  auto meshes = to_optical(net, Maps::mzi_linear);
  auto rings = to_optical(net, ToOpticalOptions(Maps::weight_bank).layers({{"11", Maps::electronic}}));

  const auto [images, labels] = test.batch(0, 0);
  const torch::NoGradGuard no_grad;
  const auto wanted = electronic->forward(images);
  const auto off = [&](Hybrid other) {
    return ((other->forward(images) - wanted).abs().max() / wanted.abs().max()).item<double>();
  };
  const double right = evaluate(*electronic, test), right_of_meshes = evaluate(*meshes, test),
               right_of_rings = evaluate(*rings, test);
  std::cout << "test accuracy: electronic " << right << ", meshes " << right_of_meshes << ", rings "
            << right_of_rings << "\nlargest difference of outputs, as a part of the largest output: meshes "
            << off(meshes) << ", rings " << off(rings) << "\n";
  bool same = right == right_of_meshes && right == right_of_rings && off(meshes) < 1e-5 && off(rings) < 1e-5;

  DirectFeedback rule;
  torch::optim::Adam rings_optimizer(rings->parameters(), torch::optim::AdamOptions(5e-4));
  for (const auto& [more_images, more_labels] : train.epoch(3)) {
    rings_optimizer.zero_grad();
    rule.step(*rings, more_images, more_labels, [](const torch::Tensor& y, const torch::Tensor& target) {
      return torch::nn::functional::cross_entropy(y, target);
    });
    rings_optimizer.step();
  }
  auto back = to_electronic(rings);
  const double learnt = evaluate(*rings, test), learnt_back = evaluate(*back, test);
  std::cout << "rings after an epoch of direct feedback " << learnt << ", back in electronics " << learnt_back
            << "\n";
  same = same && learnt == learnt_back && learnt > right - 0.02;
  return same ? 0 : 1;
}
