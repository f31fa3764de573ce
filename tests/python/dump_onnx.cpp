// dump_onnx FOLDER: networks and layers as ONNX models, NAME.onnx, with what they give, NAME.safetensors.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <optotorch/core/safetensors.h>
#include <optotorch/modules/export/onnx.h>
#include <support/layer_cases.h>

#include <cstdio>
#include <functional>
#include <set>

#include "runs/run_network.h"

namespace optotorch {
namespace {

/// Complex numbers as pairs, which the model takes and gives.
torch::Tensor in_reals(const torch::Tensor& x) {
  return (x.is_complex() ? at::view_as_real(x.resolve_conj()) : x).contiguous();
}

void move_parameters(HybridImpl& net) {
  for (auto& parameter : net.parameters()) {
    parameter.add_(torch::randn_like(parameter), 0.05);  // most read-outs begin at zero
  }
}

void dump(HybridImpl& net, const std::function<torch::Tensor(int64_t batch)>& input,
          const std::string& path) {
  export_onnx(net, input(2), path + ".onnx");
  net.eval();
  SafeTensors examples;
  for (const int64_t batch : {1, 7, 64}) {
    const auto x = input(batch);
    const auto number = std::to_string(examples.tensors.size() / 2);
    examples.tensors["input_" + number] = in_reals(x);
    examples.tensors["output_" + number] = in_reals(net.forward(x));
  }
  save_safetensors(path + ".safetensors", examples);
}

/// Planes of 200 x 200 take a runtime twenty seconds each; those of 64 x 64 compute the same way.
bool takes_long(const std::string& network) {
  static const std::set<std::string> all{"d2nn", "d2nn-pairs", "d2nn-electronic", "dpnn"};
  return all.contains(network);
}

void dump_networks(const std::string& folder) {
  for (const auto& name : tools::network_names()) {
    const auto network = tools::find_network(name);
    if (network.training.laboratory || network.training.learns_text() || takes_long(name)) {
      continue;
    }
    torch::manual_seed(7);
    const auto run =
        tools::resolve({.network = name, .rule = "bp", .seed = 1, .classes = 10, .input = {1, 28, 28}});
    auto net = tools::make_network(run);
    move_parameters(*net);
    dump(
        *net, [&](int64_t batch) { return tools::example_input(run, batch); }, folder + "/" + name);
  }
}

void dump_layers(const std::string& folder) {
  for (const auto& row : testing::layer_cases()) {
    if (row.measures || row.name.starts_with("PortArray")) {  // whose trace holds the batch size
      continue;
    }
    torch::manual_seed(7);
    Hybrid net;
    net->push_back("0", row.make());
    move_parameters(*net);
    dump(
        *net, [&](int64_t batch) { return testing::random_batch(row, batch, torch::kFloat32); },
        folder + "/layer-" + row.name);
  }
}

}  // namespace
}  // namespace optotorch

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: dump_onnx FOLDER\n");
    return 2;
  }
  at::set_num_threads(1);
  const torch::NoGradGuard no_grad;
  try {
    optotorch::dump_networks(argv[1]);
    optotorch::dump_layers(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
