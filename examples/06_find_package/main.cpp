// OptoTorch from another project: a partly optical network takes a few training steps, by a rule that needs
// no backward pass through the optics.
//
// Four classes of eight-pixel patterns: a modulator puts them on light, a mesh of interferometers mixes them,
// detectors read them, and an electronic layer decides.

#include <ATen/ATen.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>
#include <torch/utils.h>

#include <iostream>

int main() {
  torch::manual_seed(1);
  optotorch::Hybrid net(optotorch::Modulator(8), optotorch::MziMesh(8), optotorch::Photodetector(),
                        torch::nn::Linear(8, 4));
  optotorch::TwoPassForward rule;
  torch::optim::Adam optimiser(net->parameters(), torch::optim::AdamOptions(.02));

  const auto labels = torch::arange(64) % 4;
  const auto patterns = torch::randn({4, 8}).index_select(0, labels) + .1 * torch::randn({64, 8});
  const optotorch::Loss loss = [](const torch::Tensor& output, const torch::Tensor& target) {
    return torch::nn::functional::cross_entropy(output, target);
  };

  double first = 0;
  double last = 0;
  for (int step = 0; step < 50; ++step) {
    optimiser.zero_grad();
    last = rule.step(*net, patterns, labels, loss).loss.item<double>();
    optimiser.step();
    if (step == 0) {
      first = last;
    }
  }
  std::cout << net << "\nloss: " << first << " -> " << last << "\n";
  return last < first ? 0 : 1;
}
