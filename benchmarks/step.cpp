// One training step (forward, update rule, plain SGD) of 784-1024-1024-1024-10 with tanh, batches of 128
// and 512, one thread and two, against the same network in torch::nn::Sequential under LibTorch's autograd.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/sgd.h>

#include <algorithm>
#include <stdexcept>

#include "benchmarks.h"
#include "rows.h"

namespace optotorch::bench {
namespace {

constexpr int64_t inputs = 784, width = 1024, classes = 10;
constexpr double learning_rate = 1e-3;

torch::Tensor loss_of(const torch::Tensor& output, const torch::Tensor& target) {
  return torch::nn::functional::cross_entropy(output, target);
}

template <typename Container>
Container network() {
  torch::manual_seed(1);
  return Container(torch::nn::Linear(inputs, width), torch::nn::Tanh(), torch::nn::Linear(width, width),
                   torch::nn::Tanh(), torch::nn::Linear(width, width), torch::nn::Tanh(),
                   torch::nn::Linear(width, classes));
}

void autograd_step(torch::nn::Sequential& model, torch::optim::SGD& optimizer, const torch::Tensor& x,
                   const torch::Tensor& t) {
  optimizer.zero_grad();
  loss_of(model->forward(x), t).backward();
  optimizer.step();
}

void rule_step(Rule& rule, Hybrid& model, torch::optim::SGD& optimizer, const torch::Tensor& x,
               const torch::Tensor& t) {
  optimizer.zero_grad();
  rule.step(*model, x, t, loss_of);
  optimizer.step();
}

/// The largest relative difference between the gradients of BackPropagation and of autograd: both containers
/// hold the same network, and the contract's machinery changes nothing.
double verify(const torch::Tensor& x, const torch::Tensor& t) {
  auto ours = network<Hybrid>();
  auto peer = network<torch::nn::Sequential>();
  BackPropagation().step(*ours, x, t, loss_of);
  loss_of(peer->forward(x), t).backward();
  double largest = 0;
  const auto a = ours->parameters(), b = peer->parameters();
  for (size_t i = 0; i < a.size(); ++i) {
    largest =
        std::max(largest, ((a[i].grad() - b[i].grad()).abs().max() / b[i].grad().abs().max()).item<double>());
  }
  if (!(largest < 1e-5)) {
    throw std::runtime_error("step: Hybrid and Sequential disagree");
  }
  return largest;
}

}  // namespace

void run_step(const std::string& json) {
  torch::manual_seed(2);
  TwoPassForward two_pass;
  DirectFeedback direct;
  BackPropagation exact;
  std::vector<Row> rows;
  print_header();
  for (const int64_t batch : {128, 512}) {
    const auto x = torch::rand({batch, inputs});
    const auto t = torch::randint(0, classes, {batch});
    at::set_num_threads(1);
    const double difference = verify(x, t);
    for (const int threads : {1, 2}) {
      at::set_num_threads(threads);
      for (Rule* rule :
           {static_cast<Rule*>(&two_pass), static_cast<Rule*>(&direct), static_cast<Rule*>(&exact)}) {
        auto ours = network<Hybrid>();
        auto peer = network<torch::nn::Sequential>();
        torch::optim::SGD our_optimizer(ours->parameters(), learning_rate);
        torch::optim::SGD peer_optimizer(peer->parameters(), learning_rate);
        rows.push_back(time_pair(
            c10::str(rule->name(), ", batch ", batch, ", threads ", threads), "autograd",
            [&] { rule_step(*rule, ours, our_optimizer, x, t); },
            [&] { autograd_step(peer, peer_optimizer, x, t); }, /*seconds=*/8));
        rows.back().max_difference = difference;
        print_row(rows.back());
      }
    }
  }
  write_json(rows, json);
}

}  // namespace optotorch::bench
