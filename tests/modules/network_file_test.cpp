// Networks in files: architecture, weights, and what is frozen.

#include <gtest/gtest.h>
#include <optotorch/core/safetensors.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/network_file.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/modules/weights.h>
#include <support/errors.h>
#include <support/temporary_folder.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

#include <cmath>
#include <functional>

namespace optotorch {
namespace {

class NetworkFileTest : public ::testing::Test {
 protected:
  std::string path() const { return folder.path() + "/net.safetensors"; }
  testing::TemporaryFolder folder;
};

TEST_F(NetworkFileTest, ArchitectureAndWeightsComeBack) {
  Hybrid net(Modulator(6), MziMesh(6), Photodetector(), torch::nn::Linear(6, 2));
  freeze(net->layer(1));
  for (const auto type : {torch::kFloat32, torch::kFloat64}) {
    net->to(type);
    save_network(*net, path());
    auto read = load_network(path());
    EXPECT_EQ(describe(*read), describe(*net));
    EXPECT_EQ(frozen_parameters(*read), frozen_parameters(*net));
    const auto x = torch::rand({3, 6}, type);
    EXPECT_TRUE(read->forward(x).equal(net->forward(x)));
  }
}

TEST_F(NetworkFileTest, StateDictGoesInByNames) {
  torch::nn::Sequential net(torch::nn::Linear(3, 4), torch::nn::BatchNorm1d(4), torch::nn::Linear(4, 2));
  const auto wanted = torch::randn({4, 3}, torch::kFloat64);
  SafeTensors file;
  for (const auto& [name, tensor] : weights_of(*net)) {
    file.tensors[name] = tensor.is_floating_point() ? tensor.to(torch::kFloat64) : tensor;
  }
  file.tensors["0.weight"] = wanted;
  file.tensors["1.num_batches_tracked"] = torch::full({}, 7, torch::kLong);
  save_safetensors(path(), file);
  load_network(path(), *net);
  EXPECT_TRUE(net->named_parameters()["0.weight"].equal(wanted.to(torch::kFloat32)));
  EXPECT_EQ(net->named_buffers()["1.num_batches_tracked"].item<int64_t>(), 7);

  const auto refuse = [&](const std::function<void(SafeTensors&)>& change, const std::string& says) {
    auto other = file;
    other.tensors["2.bias"] = torch::ones({2});
    change(other);
    save_safetensors(path(), other);
    EXPECT_SAYS(load_network(path(), *net), path());
    EXPECT_SAYS(load_network(path(), *net), says);
    EXPECT_FALSE(net->named_parameters()["2.bias"].equal(torch::ones({2})));
  };
  refuse([](auto& other) { other.tensors.erase("2.weight"); },
         "2.weight: expected float32 [2, 4], got nothing");
  refuse([](auto& other) { other.tensors["3.weight"] = torch::ones({1}); }, "3.weight");
  refuse([](auto& other) { other.tensors["0.weight"] = torch::ones({3, 4}); }, "0.weight");
  refuse([](auto& other) { other.tensors["1.num_batches_tracked"] = torch::ones({}); },
         "num_batches_tracked");
}

TEST_F(NetworkFileTest, OtherFilesAreRefusedByName) {
  Hybrid net(Modulator(6), MziMesh(6));
  save_network(*net, path());
  const auto whole = load_safetensors(path());
  const auto expect = [&](const std::function<void(SafeTensors&)>& change, const std::string& says) {
    auto file = whole;
    change(file);
    save_safetensors(path(), file);
    EXPECT_SAYS(load_network(path()), path());
    EXPECT_SAYS(load_network(path()), says);
  };
  expect([](auto& file) { file.metadata.erase("format"); }, "a file without a format");
  expect([](auto& file) { file.metadata["network"] = "{"; }, "a description of a network");
  expect([](auto& file) { file.tensors.erase("1.theta"); }, "1.theta");
  expect([](auto& file) { file.tensors["1.theta"] = torch::zeros({3}); }, "1.theta");
  expect([](auto& file) { file.tensors["1.theta"] = at::full({15}, NAN); }, "1.theta");
  expect([](auto& file) { file.metadata["frozen"] = "7.weight"; }, "7.weight");
  // A terabyte, or a network of many layers: refused before the memory is taken.
  const std::string large = R"({"type": "Linear", "in_features": 1000000, "out_features": 250000})";
  const std::string larger = R"({"type": "Linear", "in_features": 2000, "out_features": 1000})";
  std::string many = larger;
  for (int i = 0; i < 50; ++i) {
    many += "," + larger;
  }
  for (const auto& layers : {large, many}) {
    expect(
        [&](auto& file) {
          file.metadata["network"] = R"({"format": "optotorch-network-1", "layers": [)" + layers + "]}";
        },
        "bytes of tensors");
  }
  EXPECT_SAYS(load_network(folder.path() + "/none"), "none");
}

}  // namespace
}  // namespace optotorch
