#pragma once

// An ONNX model in the making: nodes, stored tensors, one input and one output.

#include <ATen/core/Tensor.h>
#include <optotorch/core/detail/protobuf.h>

#include <cstdint>
#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace optotorch::onnx {

inline constexpr char in_export[] = "export_onnx";

/// Bytes that a protocol buffer may have.
inline constexpr uint64_t most_bytes = (uint64_t{1} << 31) - 1;

/// Throws c10::ValueError for a model of more bytes than that.
void check_size(uint64_t bytes);

/// Number of a type in the format. Throws c10::ValueError for one that is no real or whole number.
int64_t onnx_type(at::ScalarType type);

struct Attribute {
  std::string name;
  std::variant<int64_t, double, std::string, std::vector<int64_t>> value;
};

/// Input or output: its sizes, negative where they are the batch's.
struct Port {
  std::string name;
  at::ScalarType type;
  std::vector<int64_t> sizes;
};

class Graph {
 public:
  /// What is added from now on belongs to this layer, which names it: "layer0".
  void enter(const std::string& layer) { layer_ = layer; }

  /// Adds a node, which gives one tensor. Returns the tensor's name.
  std::string add(const std::string& type, const std::vector<std::string>& inputs,
                  const std::vector<Attribute>& attributes = {});

  /// Stores a real tensor under this name, once: `make` is called if the name is new. Returns the name.
  std::string store(const std::string& name, const std::function<at::Tensor()>& make);
  /// Stores one that has no name; equal small ones once.
  std::string constant(const at::Tensor& tensor);
  std::string numbers(const std::vector<int64_t>& values);
  std::string number(double value, at::ScalarType type);

  /// Writes the model whose output is the tensor `result`; nodes and tensors that it does not need are left
  /// out. Throws, as check_size does, before anything is written. The stored tensors are not copied.
  void write(std::ostream& stream, const std::string& description, const Port& input,
             const std::string& result, const Port& output) const;

 private:
  struct Node {
    std::vector<std::string> inputs;
    std::string output;
    Protobuf message;
  };

  std::string layer_;
  std::vector<Node> nodes_;
  std::vector<std::pair<std::string, at::Tensor>> tensors_;  ///< in the order of their first use
  std::map<std::string, size_t> stored_;                     ///< places in `tensors_`
  std::map<std::string, std::string> small_;                 ///< names of nameless tensors, by their bytes
  size_t names_ = 0;
};

}  // namespace optotorch::onnx
