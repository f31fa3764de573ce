#pragma once

// How the operators meet LibTorch's autograd, written once for all of them.
//
// First derivatives come from the backward operators. A backward operator is differentiated by its double
// backward operator, and that one differentiates the reference face, which is plain ATen operators:
// derivatives of any order are right. Forward mode (tangents) goes through the reference face as well.
// Everything passes the dispatcher one operator at a time, which is what torch.func's transforms need.

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <vector>

namespace optotorch::ops {

using Tensors = std::vector<at::Tensor>;

/// A call of an operator as autograd sees it: the defined tensors among its arguments are a list, all else is
/// bound.
struct DifferentiableCall {
  /// The operator itself, by the dispatcher.
  std::function<at::Tensor(const Tensors& inputs)> forward;
  /// The same in plain ATen operators.
  std::function<at::Tensor(const Tensors& inputs)> reference;
  /// Gradients at the inputs, by the dispatcher. `output` is undefined unless `keeps_output`; a gradient that
  /// is not `wanted` may be anything.
  std::function<Tensors(const at::Tensor& dL_dy, const Tensors& inputs, const at::Tensor& output,
                        const std::vector<bool>& wanted)>
      backward;
  /// Gradients at (dL_dy, inputs) of Re sum conj(v) backward(dL_dy, inputs), by the dispatcher; v has one
  /// tensor an input.
  std::function<Tensors(const Tensors& v, const at::Tensor& dL_dy, const Tensors& inputs)> double_backward;
  bool keeps_output = false;
};

using CallPointer = std::shared_ptr<const DifferentiableCall>;

/// The forward operator's autograd face.
at::Tensor differentiable_forward(const CallPointer& call, const Tensors& inputs);

/// The backward operator's autograd face. A gradient whose place in `wanted` is false comes back as backward
/// makes it.
Tensors differentiable_backward(const CallPointer& call, const at::Tensor& dL_dy, const Tensors& inputs,
                                const at::Tensor& output, const std::vector<bool>& wanted);

/// The operator on devices that have no kernel: the reference face's output, contiguous as the shapes' face promises.
at::Tensor forward_by_reference(const CallPointer& call, const Tensors& inputs);

/// The backward operator there: the derivative of the reference face. A gradient whose place in `wanted` is false
/// has no elements.
Tensors backward_by_reference(const CallPointer& call, const at::Tensor& dL_dy, const Tensors& inputs,
                              const at::Tensor& output, const std::vector<bool>& wanted);

/// The double backward operator where autograd listens: any v may be undefined, which means 0.
Tensors differentiate_reference(const DifferentiableCall& call, const Tensors& v, const at::Tensor& dL_dy,
                                const Tensors& inputs);

/// The same where it does not: below autograd and in inference mode.
Tensors differentiate_reference_below(const DifferentiableCall& call, const Tensors& v,
                                      const at::Tensor& dL_dy, const Tensors& inputs);

/// For operators without a derivative: the output of `forward`, whose gradient is an error that names `where`
/// and `argument` instead of a silent 0.
at::Tensor without_derivative(const char* where, const char* argument, const char* remedy,
                              const std::function<at::Tensor(const at::Tensor&)>& forward,
                              const at::Tensor& input);

}  // namespace optotorch::ops
