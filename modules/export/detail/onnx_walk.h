#pragma once

// The way through a traced layer, node by node.

#include <optotorch/modules/export/detail/onnx_call.h>
#include <optotorch/modules/export/detail/traced_layer.h>
#include <torch/csrc/jit/ir/ir.h>

#include <set>
#include <unordered_map>

namespace optotorch::onnx {

/// Writes the graph of a traced layer into an ONNX model.
///
/// Every operator runs twice meanwhile, for batches of two sizes: that gives types and shapes, shows which
/// sizes are the batch's, decides every `if`, and computes all that does not depend on the input, which is
/// then stored.
class Walk {
 public:
  /// `prefix` stands before the names of the layer's tensors: "layer0".
  Walk(Graph& graph, TracedLayer& layer, std::string prefix)
      : graph_(graph), layer_(layer), prefix_(std::move(prefix)) {}

  /// The layer's output for its input. Throws c10::ValueError, naming layer and operator.
  Traced run(const Traced& input);

 private:
  void walk(torch::jit::Block& block);
  void visit(torch::jit::Node* node);
  void enter_branch(torch::jit::Node* node);
  void make_list(torch::jit::Node* node);
  void operate(torch::jit::Node* node);
  std::vector<Traced> results(torch::jit::Node* node, const std::vector<Traced>& inputs, bool constant);
  void prepare_in_place(torch::jit::Node* node, std::vector<Traced>& inputs);
  void emit(torch::jit::Node* node, const std::vector<Traced>& inputs, std::vector<Traced>& outputs);
  [[noreturn]] void refuse(const torch::jit::Node* node, const std::string& expected,
                           const std::string& got) const;

  Graph& graph_;
  TracedLayer& layer_;
  std::string prefix_;
  std::unordered_map<const torch::jit::Value*, Traced> values_;
};

}  // namespace optotorch::onnx
