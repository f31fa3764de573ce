// Writes every layer of the table that may be described to FOLDER/NAME.safetensors: its description, initial values for
// a seed, an input and what passes and pull-back make of it. What is complex is written as pairs of real numbers, its
// name with "~" behind it.

#include <ATen/Parallel.h>
#include <optotorch/core/safetensors.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/hybrid.h>
#include <support/layer_cases.h>
#include <torch/utils.h>

#include <iostream>
#include <string>

namespace {

using namespace optotorch;

constexpr uint64_t seed = 7;

void put(SafeTensors& content, const std::string& name, const torch::Tensor& tensor) {
  const auto value = tensor.detach();
  content.tensors[value.is_complex() ? name + "~" : name] =
      (value.is_complex() ? torch::view_as_real(value.resolve_conj()) : value).contiguous().clone();
}

void dump(const optotorch::testing::LayerCase& row, const std::string& folder) {
  torch::manual_seed(seed);
  const auto layer = row.make();
  Hybrid net;
  net->push_back("0", layer);
  SafeTensors content;
  content.metadata["network"] = describe(*net);
  for (const auto& tensors : {net->named_parameters(), net->named_buffers()}) {
    for (const auto& item : tensors) {
      put(content, "state/" + item.key(), item.value());
    }
  }
  const auto x = optotorch::testing::random_batch(row, 3, torch::kFloat32);
  put(content, "input", x);
  const auto pass = layer->propagate(x);
  put(content, "output", pass.output);
  const auto dL_doutput = torch::randn(pass.output.sizes(), pass.output.options());
  put(content, "dL_doutput", dL_doutput);
  const auto dL_dinput = layer->pullback(pass, dL_doutput);
  if (dL_dinput.defined()) {
    put(content, "dL_dinput", dL_dinput);
  }
  for (const auto& item : net->named_parameters()) {
    if (item.value().grad().defined()) {
      put(content, "gradient/" + item.key(), item.value().grad());
    }
  }
  for (const auto& item : net->named_buffers()) {
    put(content, "after/" + item.key(), item.value());
  }
  layer->eval();
  put(content, "deployed", layer->forward(x));
  save_safetensors(folder + "/" + row.name + ".safetensors", content);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: dump_layers FOLDER\n";
    return 2;
  }
  at::set_num_threads(1);
  for (const auto& row : optotorch::testing::layer_cases()) {
    if (!row.measures) {
      dump(row, arguments[1]);
    }
  }
}
