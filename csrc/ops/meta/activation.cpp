#include <ATen/ATen.h>
#include <optotorch/ops/activation.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

at::Tensor like(const at::Tensor& tensor) {
  return at::empty_symint(tensor.sym_sizes(), tensor.options());
}

TORCH_LIBRARY_IMPL(optotorch, Meta, library) {
  library.impl("electro_optic", [](const at::Tensor& field, double, double, double) { return like(field); });
  library.impl("electro_optic_backward", [](const at::Tensor&, const at::Tensor& field, double, double,
                                            double) { return like(field); });
  library.impl("saturable_absorber", [](const at::Tensor& field, double, double) { return like(field); });
  library.impl("saturable_absorber_backward",
               [](const at::Tensor&, const at::Tensor& field, double, double) { return like(field); });
  library.impl("mod_relu", [](const at::Tensor& field, const at::Tensor&) { return like(field); });
  library.impl("mod_relu_backward", [](const at::Tensor&, const at::Tensor& field, const at::Tensor& bias) {
    return std::make_tuple(like(field), like(bias));
  });
}

}  // namespace
}  // namespace optotorch::ops
