#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/mod_relu.h>
#include <optotorch/ops/activation.h>

namespace optotorch {

ModReluImpl::ModReluImpl(ModReluOptions options_) : CloneableLayer("ModRelu"), options(options_) {
  check_shape(*this, options.shape());
  bias = register_phases("bias", torch::full(options.shape(), options.bias(), torch::get_default_dtype()));
}

void ModReluImpl::check_input(const torch::Tensor& x) const {
  check_field(*this, x, options.shape());
  check_precision(*this, x, bias);
}

torch::Tensor ModReluImpl::flat(const torch::Tensor& field) const {
  return bias.dim() == 1 ? field : field.flatten(-bias.dim());
}

torch::Tensor ModReluImpl::compute(const torch::Tensor& x, Pass* kept) {
  return ops::mod_relu(flat(x), bias.flatten()).view(x.sizes());
}

torch::Tensor ModReluImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) {
  const auto [dL_dx, dL_dbias] = ops::mod_relu_backward(flat(dL_dy), flat(pass.input), bias.flatten());
  accumulate(bias, dL_dbias.view(bias.sizes()));
  return dL_dx.view(pass.input.sizes());
}

Deployment ModReluImpl::deploy() {
  const auto b = bias.detach();  // what is deployed learns no more
  return {{{"bias", b}}, [b](const torch::Tensor& z) { return ops::mod_relu_reference(z, b); }};
}

namespace {

const RegisteredPart mod_relu_type(part_type<ModReluImpl>("ModRelu", ModReluOptions(1), 1));

}  // namespace
}  // namespace optotorch
