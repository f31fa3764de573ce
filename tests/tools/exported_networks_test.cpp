// Every network that the program exports, loaded again: at other batch sizes, in double precision, with
// gradients.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/export/torchscript.h>
#include <support/temporary_folder.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>

#include "runs/run_data.h"
#include "runs/run_network.h"

namespace optotorch::tools {
namespace {

using jit_module = torch::jit::Module;

double largest(const torch::Tensor& x) {
  return x.numel() == 0 ? 0 : x.abs().max().item<double>();
}

torch::Tensor gradient(jit_module& module, const torch::Tensor& x) {
  auto leaf = x.detach().clone().requires_grad_();
  module.forward({leaf}).toTensor().square().sum().backward();
  return leaf.grad();
}

class ExportedNetworksTest : public ::testing::TestWithParam<std::string> {};

void expect_equal_at_any_batch_size(Hybrid& net, const std::string& path, const Run& run) {
  auto reloaded = torch::jit::load(path);
  for (const int64_t batch : {0, 1, 3, 17}) {
    const auto x = batch == 0 ? example_input(run, 1).narrow(0, 0, 0) : example_input(run, batch);
    const auto expected = net->forward(x), got = reloaded.forward({x}).toTensor();
    ASSERT_EQ(expected.sizes(), got.sizes()) << batch;
    EXPECT_EQ(expected.size(0), batch);
    EXPECT_TRUE(expected.isfinite().all().item<bool>());
    EXPECT_LE(largest(expected - got), 1e-6 * largest(expected)) << batch;
  }
}

void expect_equal_gradients(const std::string& path, torch::Tensor x) {
  auto reloaded = torch::jit::load(path);
  const auto first = gradient(reloaded, x);
  EXPECT_GT(largest(first), 0);
  // TorchScript rewrites a graph that has run once or twice.
  for (int call = 1; call < 3; ++call) {
    EXPECT_LE(largest(gradient(reloaded, x) - first), 1e-5 * largest(first)) << "call " << call;
  }
  x[1].zero_();
  const auto dark = gradient(reloaded, x);
  EXPECT_TRUE(dark.isfinite().all().item<bool>()) << "of a black image";
  EXPECT_LE(largest(dark[0] - first[0]), 1e-5 * largest(first)) << "a black image leaves the others alone";
}

void expect_equal_in_double_precision(Hybrid& net, const std::string& path, const torch::Tensor& x) {
  auto reloaded = torch::jit::load(path);
  reloaded.to(torch::kDouble);
  net->to(torch::kDouble);
  const auto precise = x.is_floating_point() ? x.to(torch::kDouble) : x;
  const auto expected = net->forward(precise), got = reloaded.forward({precise}).toTensor();
  ASSERT_EQ(got.scalar_type(), torch::kDouble);
  EXPECT_LE(largest(expected - got), 1e-4 * largest(expected));
}

TEST_P(ExportedNetworksTest, AreWhatTheyWere) {
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  torch::manual_seed(1);
  const auto run =
      resolve({.network = GetParam(), .rule = "bp", .seed = 1, .classes = 10, .input = {1, 28, 28}});
  auto net = make_network(run);
  {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : net->parameters()) {
      parameter.add_(torch::randn_like(parameter), 0.05);  // most read-outs begin at zero
    }
  }
  net->eval();
  const optotorch::testing::TemporaryFolder folder;
  const std::string path = folder.path() + "/model.pt";
  EXPECT_LE(export_torchscript(net, example_input(run, 2), path), 1e-6);
  expect_equal_at_any_batch_size(net, path, run);
  const auto x = example_input(run, 3);
  const bool shows_binary_frames = GetParam() == "boolean-mnist" || GetParam() == "ternary-mnist";
  if (x.is_floating_point() && !shows_binary_frames) {  // those have no slope
    expect_equal_gradients(path, x);
  }
  expect_equal_in_double_precision(net, path, x);
  at::set_num_threads(threads);
}

std::vector<std::string> deployable() {
  std::vector<std::string> names;
  for (const auto& name : network_names()) {
    if (!find_network(name).training.laboratory) {
      names.push_back(name);
    }
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, ExportedNetworksTest, ::testing::ValuesIn(deployable()), [](const auto& info) {
  auto name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace optotorch::tools
