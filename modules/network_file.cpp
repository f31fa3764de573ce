#include <c10/util/StringUtil.h>
#include <optotorch/core/check.h>
#include <optotorch/core/memory_limit.h>
#include <optotorch/core/safetensors.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/network_file.h>
#include <optotorch/modules/weights.h>

#include <sstream>

namespace optotorch {
namespace {

constexpr char file_format[] = "optotorch-network-file-1";

/// Errors of `look` are told with the file's name.
template <typename Look>
auto in_file(const std::string& path, Look&& look) {
  try {
    return look();
  } catch (const c10::Error& error) {
    const std::string said = error.what_without_backtrace();
    if (said.find(path) != std::string::npos) {
      throw;
    }
    reject({.where = "load_network", .argument = path, .expected = "a network and its weights", .got = said});
  }
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

/// Bytes that its layers may take before they are compared with the file: with what they need to draw their
/// initial values.
uint64_t memory_for(const SafeTensors& file) {
  constexpr uint64_t times = 16, least = 64 << 20;
  uint64_t bytes = 0;
  for (const auto& [name, tensor] : file.tensors) {
    bytes += tensor.nbytes();
  }
  return least + times * bytes;
}

Hybrid build_within(uint64_t bytes, const std::string& description) {
  const MemoryLimit limit("load_network", bytes);
  return build(description);
}

}  // namespace

void save_network(const HybridImpl& network, const std::string& path) {
  save_safetensors(path, {weights_of(network),
                          {{"format", file_format},
                           {"network", describe(network)},
                           {"frozen", c10::Join("\n", frozen_parameters(network))}}});
}

Hybrid load_network(const std::string& path) {
  const auto file = load_safetensors(path);
  const auto text = [&](const std::string& name) {
    const auto found = file.metadata.find(name);
    return found == file.metadata.end() ? std::string() : found->second;
  };
  OPTOTORCH_CHECK(text("format") == file_format, .where = "load_network", .argument = path,
                  .expected = c10::str("a file of format ", file_format),
                  .got = text("format").empty() ? "a file without a format" : text("format"),
                  .remedy = "save_network writes one");
  return in_file(path, [&] {
    auto network = build_within(memory_for(file), text("network"));
    // A layer begins with float32; what the file holds may be float64.
    auto own = network->named_parameters();
    for (const auto& [name, tensor] : file.tensors) {
      if (const auto* parameter = own.find(name); parameter != nullptr && tensor.is_floating_point() &&
                                                  tensor.scalar_type() != parameter->scalar_type()) {
        network->to(tensor.scalar_type());
        break;
      }
    }
    load_weights(*network, file.tensors);
    set_frozen(*network, lines_of(text("frozen")));
    return network;
  });
}

void load_network(const std::string& path, torch::nn::Module& network) {
  auto tensors = load_safetensors(path).tensors;
  in_file(path, [&] {
    const auto parameters = network.named_parameters();
    const auto buffers = network.named_buffers();
    for (auto& [name, tensor] : tensors) {
      const auto* const parameter = parameters.find(name);
      const auto* const own = parameter != nullptr ? parameter : buffers.find(name);
      if (own != nullptr && own->is_floating_point() && tensor.is_floating_point()) {
        tensor = tensor.to(own->scalar_type());
      }
    }
    load_weights(network, tensors);
  });
}

}  // namespace optotorch
