// Optical and electronic layers in one network, LibTorch's data loader and optimiser, and the plain training
// loop. The only new line is rule.step: it stands where forward, loss and loss.backward() would.
//
//     example_02 [DATA]      DATA: the folder that holds MNIST/raw; by default "data"

#include <ATen/ATen.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/fourier_lens.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/trainers/datasets/mnist.h>
#include <optotorch/trainers/metrics.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <torch/data.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>
#include <torch/utils.h>

#include <iostream>

using namespace optotorch;

int main(int argc, char** argv) {
  const std::string data = argc > 1 ? argv[1] : "data";
  torch::manual_seed(1);

  // An image's 36 lowest spatial frequencies, as a lens delivers them, through a 36-port mesh;
  // photodetectors; two electronic layers.
  MziMesh mesh(36);
  torch::nn::Linear hidden(36, 64), head(64, 10);
  Hybrid net(FourierLens(6), mesh, Photodetector(PhotodetectorOptions().detection(Detection::amplitude)),
             hidden, torch::nn::ReLU(), head);
  std::cout << net << "\n";

  // Two parameter groups: behind the detector the signal of the second pass is coarse, and the hidden
  // electronic layer learns from it by smaller steps. (Phases are radians, so 1e-2 is a small step for them.)
  auto quick = mesh->parameters();
  for (const auto& parameter : head->parameters()) {
    quick.push_back(parameter);
  }
  std::vector<torch::optim::OptimizerParamGroup> groups;
  groups.emplace_back(quick, std::make_unique<torch::optim::AdamOptions>(1e-2));
  groups.emplace_back(hidden->parameters(), std::make_unique<torch::optim::AdamOptions>(3e-4));
  torch::optim::Adam optimizer(groups);

  // Two forward passes, no backward pass: what the second differs by is the signal.
  TwoPassForward rule(
      TwoPassForwardOptions().feedback(Feedback::twin).presynaptic(Presynaptic::clean).strength(0.1));
  const Loss loss = [](const torch::Tensor& output, const torch::Tensor& target) {
    return torch::nn::functional::cross_entropy(output, target);
  };

  auto train = torch::data::make_data_loader<torch::data::samplers::RandomSampler>(
      MNIST(data).map(torch::data::transforms::Stack<>()), 100);
  for (int epoch = 1; epoch <= 3; ++epoch) {
    double sum = 0;
    int steps = 0;
    for (const auto& batch : *train) {
      optimizer.zero_grad();
      sum += rule.step(*net, batch.data, batch.target, loss).loss.item<double>();
      optimizer.step();
      ++steps;
    }
    std::cout << "epoch " << epoch << "  loss " << sum / steps << "\n";
  }

  net->eval();
  int64_t correct = 0, count = 0;
  auto test = torch::data::make_data_loader(
      MNIST(data, MNIST::Mode::test).map(torch::data::transforms::Stack<>()), 500);
  for (const auto& batch : *test) {
    correct += net->forward(batch.data).argmax(1).eq(batch.target).sum().item<int64_t>();
    count += batch.target.size(0);
  }
  std::cout << "test accuracy " << correct << " / " << count << "\n";
  // With the mesh and the hidden layer left as they were drawn it is 70 %.
  return correct > 0.8 * static_cast<double>(count) ? 0 : 1;
}
