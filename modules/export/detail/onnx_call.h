#pragma once

// One operator of a trace, as the functions see it that write it into an ONNX model.

#include <ATen/core/ivalue.h>
#include <optotorch/modules/export/detail/onnx_graph.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace optotorch::onnx {

/// A tensor of the trace in the model.
struct Value {
  enum class Form {
    real,
    complex,
    pair,  ///< real and imaginary part along a last dimension of two, which are held apart
  };
  Form form = Form::real;
  std::string real{}, imag{};    ///< tensors of the model; no `imag`: it is zero
  std::optional<double> fill{};  ///< every element is this number; no `real` then,
  std::string like{};            ///< but a tensor of this shape
};

/// A value of the trace: what it is for two sizes of the batch, and in the model.
struct Traced {
  c10::IValue small, large;
  bool constant = false;         ///< it does not depend on the input
  std::string name{};            ///< of a registered tensor
  std::optional<Value> value{};  ///< none yet: a constant that nothing has read
  std::vector<Traced> items{};   ///< of a list of tensors
};

/// Sizes of a tensor, -1 where they depend on the batch's.
std::vector<int64_t> sizes_of(const Traced& traced);

class Call {
 public:
  Call(Graph& graph, std::string layer, std::string name, std::vector<Traced> inputs,
       std::vector<Traced> outputs)
      : graph(graph),
        layer_(std::move(layer)),
        name_(std::move(name)),
        inputs_(std::move(inputs)),
        outputs_(std::move(outputs)) {}

  Graph& graph;

  const std::string& name() const { return name_; }
  const Traced& input(size_t i) const { return inputs_.at(i); }
  const Traced& output() const { return outputs_.at(0); }
  bool given(size_t i) const { return i < inputs_.size() && !inputs_[i].small.isNone(); }

  // Arguments that are no tensors.
  int64_t integer(size_t i) const { return input(i).small.toInt(); }
  double real_number(size_t i) const { return input(i).small.toScalar().toDouble(); }
  bool flag(size_t i) const { return input(i).small.toBool(); }
  std::string text(size_t i) const { return input(i).small.toStringRef(); }
  std::vector<int64_t> integers(size_t i) const { return input(i).small.toIntVector(); }

  // Tensors, outside the model.
  const at::Tensor& shadow(size_t i) const { return input(i).small.toTensor(); }
  std::vector<int64_t> sizes(size_t i) const { return sizes_of(input(i)); }
  std::vector<int64_t> output_sizes() const { return sizes_of(output()); }
  int64_t rank(size_t i) const { return shadow(i).dim(); }
  /// A dimension counted from the front.
  int64_t dim(size_t i, int64_t dimension) const;
  /// Real type of the output's numbers.
  at::ScalarType output_type() const;

  // Tensors of the model.

  /// Real or complex, not filled.
  Value tensor(size_t i) { return tensor(input(i)); }
  Value tensor(const Traced& traced);
  /// As it is: it may be a pair, or filled.
  Value value(size_t i) { return value(input(i)); }
  Value value(const Traced& traced);
  /// One real tensor.
  std::string real(size_t i) { return real(tensor(i)); }
  std::string real(const Value& value);
  /// Of this real type, for operators that broadcast: a number is a tensor of no dimensions.
  Value operand(size_t i, at::ScalarType type);
  /// Zeros of a tensor's shape.
  std::string zeros(const std::string& like) { return filled(0, like, output_type()); }
  std::string filled(double number, const std::string& like, at::ScalarType type);
  std::string cast(const std::string& tensor, at::ScalarType type);
  /// With the output's sizes.
  std::string reshaped(const std::string& tensor) { return reshaped(tensor, output_sizes()); }
  std::string reshaped(const std::string& tensor, const std::vector<int64_t>& sizes);

  [[noreturn]] void refuse(const std::string& expected, const std::string& got) const;

 private:
  std::string layer_, name_;
  std::vector<Traced> inputs_, outputs_;
};

/// The same of both parts of a complex tensor.
template <typename Function>
Value each_part(Value value, Function&& function) {
  value.real = function(value.real);
  if (!value.imag.empty()) {
    value.imag = function(value.imag);
  }
  return value;
}

/// Writes an operator into the graph and returns its outputs, or the items of its one output.
using Emitter = std::function<std::vector<Value>(Call&)>;
/// Emitters by the operators' names, "mul" of aten::mul and aten::mul_.
using Emitters = std::map<std::string, Emitter>;

}  // namespace optotorch::onnx
