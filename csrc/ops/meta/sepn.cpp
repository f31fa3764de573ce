#include <ATen/ATen.h>
#include <optotorch/ops/sepn.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

at::Tensor like(const at::Tensor& tensor, bool wanted = true) {
  return wanted ? at::empty_symint(tensor.sym_sizes(), tensor.options()) : at::Tensor();
}

TORCH_LIBRARY_IMPL(optotorch, Meta, library) {
  library.impl("sepn", [](const at::Tensor& x, const at::Tensor&, at::IntArrayRef) { return like(x); });
  library.impl("sepn_backward", [](const at::Tensor&, const at::Tensor& x, const at::Tensor& parameters,
                                   at::IntArrayRef, bool to_x, bool to_parameters) {
    return std::make_tuple(like(x, to_x), like(parameters, to_parameters));
  });
}

}  // namespace
}  // namespace optotorch::ops
