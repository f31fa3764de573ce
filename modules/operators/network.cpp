// Networks as operators, for whoever has no C++ (describe.h, network_file.h):
//
//     build_network(str network, str[] sizes, int[] values) -> (str, str[], Tensor[])
//         Description and initial weights by name of a network that may leave options out and name sizes.
//     read_network(str path) -> (str, str[], Tensor[])
//     write_network(str path, str network, str[] names, Tensor[] tensors) -> ()
//         A network file: its description, and its weights by name. A parameter that requires no gradient is frozen.

#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/network_file.h>
#include <optotorch/modules/weights.h>
#include <torch/library.h>

#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace optotorch {
namespace {

using Network = std::tuple<std::string, std::vector<std::string>, std::vector<torch::Tensor>>;

Network as_tuple(const HybridImpl& network) {
  Network all;
  auto& [description, names, tensors] = all;
  description = describe(network);
  const auto parameters = network.named_parameters();
  for (const auto& [name, tensor] : weights_of(network)) {
    const auto* const parameter = parameters.find(name);
    names.push_back(name);
    tensors.push_back(tensor.detach().requires_grad_(parameter != nullptr && parameter->requires_grad()));
  }
  return all;
}

Network build_network(const std::string& text, const std::vector<std::string>& names,
                      const std::vector<int64_t>& values) {
  OPTOTORCH_CHECK(names.size() == values.size(), .where = "build_network", .argument = "sizes",
                  .expected = std::to_string(names.size()), .got = std::to_string(values.size()));
  Sizes sizes;
  for (size_t i = 0; i < names.size(); ++i) {
    sizes[names[i]] = values[i];
  }
  return as_tuple(*build(text, sizes));
}

Network read_network(const std::string& path) {
  return as_tuple(*load_network(path));
}

void write_network(const std::string& path, const std::string& description,
                   const std::vector<std::string>& names, const std::vector<torch::Tensor>& tensors) {
  OPTOTORCH_CHECK(names.size() == tensors.size(), .where = "write_network", .argument = "tensors",
                  .expected = std::to_string(names.size()), .got = std::to_string(tensors.size()));
  auto network = build(description);
  std::map<std::string, torch::Tensor> weights;
  for (size_t i = 0; i < names.size(); ++i) {
    weights[names[i]] = tensors[i].detach();
    if (tensors[i].scalar_type() == torch::kFloat64) {
      network->to(torch::kFloat64);
    }
  }
  load_weights(*network, weights);
  auto parameters = network->named_parameters();
  for (size_t i = 0; i < names.size(); ++i) {
    if (auto* const parameter = parameters.find(names[i])) {
      parameter->requires_grad_(tensors[i].requires_grad());
    }
  }
  save_network(*network, path);
}

TORCH_LIBRARY_FRAGMENT(optotorch, library) {
  library.def("build_network(str network, str[] sizes, int[] values) -> (str, str[], Tensor[])",
              build_network);
  library.def("read_network(str path) -> (str, str[], Tensor[])", read_network);
  library.def("write_network(str path, str network, str[] names, Tensor[] tensors) -> ()", write_network);
}

}  // namespace
}  // namespace optotorch
