#pragma once

#include <optotorch/modules/layer.h>
#include <torch/csrc/jit/api/module.h>

#include <set>
#include <string>

namespace optotorch {

/// How tensors enter a traced layer.
struct TracedTensors {
  bool trainable = false;                    ///< as parameters that want gradients, not as buffers
  std::set<const c10::TensorImpl*> fixed{};  ///< buffers even then
};

/// A layer of an export: a TorchScript module with its tensors and the method `compute`, what it deploys,
/// traced with plain ATen operators.
///
/// Complex tensors are registered as real pairs. In `compute`, complex values pass `alias` before and behind
/// every operator: it keeps TorchScript's own differentiation, whose formulas are those of real numbers, from
/// joining operators, and leaves their gradients to LibTorch's autograd.
class TracedLayer {
 public:
  TracedLayer(Layer& layer, size_t index, const torch::Tensor& example, const TracedTensors& tensors,
              const std::shared_ptr<torch::jit::CompilationUnit>& unit);

  /// "layer 3 (FourierLens)"
  const std::string& name() const { return name_; }
  torch::jit::Module& module() { return module_; }

  /// The layer's output by its deployed tensors; sizes are those of x.
  torch::Tensor untraced(const torch::Tensor& x) const { return deployment_.forward(x); }
  /// The trace's output.
  torch::Tensor traced(const torch::Tensor& x);
  /// The layer's own forward pass, which checks x.
  torch::Tensor forward(const torch::Tensor& x) const { return layer_->forward(x); }

 private:
  void trace(const torch::Tensor& example);

  Layer* layer_;
  std::string name_;
  Deployment deployment_;
  torch::jit::Module module_;
  std::vector<torch::Tensor> stored_;  ///< as registered, in the order of deployment_.tensors
};

/// Largest |a - b| relative to the largest |a|. Values that are NaN in both agree. Infinite for tensors of
/// different shapes or types.
double relative_difference(const torch::Tensor& a, const torch::Tensor& b);

/// Difference that rounding explains: 1e-6 (single precision) or 1e-12 (double).
double allowed_difference(const torch::Tensor& output);

}  // namespace optotorch
