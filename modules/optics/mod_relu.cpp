#include <optotorch/core/check.h>
#include <optotorch/modules/optics/mod_relu.h>
#include <optotorch/ops/activation.h>

#include <ostream>

namespace optotorch {

ModReluImpl::ModReluImpl(ModReluOptions options_) : CloneableLayer("ModRelu"), options(options_) {
  OPTOTORCH_CHECK(options.ports() >= 1, .where = name(), .argument = "ports", .expected = "at least 1",
                  .got = std::to_string(options.ports()), .remedy = "");
  bias = register_phases("bias", torch::full({options.ports()}, options.bias(), torch::get_default_dtype()));
}

void ModReluImpl::check_input(const torch::Tensor& x) const {
  check_field(*this, x, options.ports());
  check_precision(*this, x, bias);
}

torch::Tensor ModReluImpl::compute(const torch::Tensor& x, std::vector<torch::Tensor>* saved) {
  return ops::mod_relu(x, bias);
}

torch::Tensor ModReluImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) {
  const auto [dL_dx, dL_dbias] = ops::mod_relu_backward(dL_dy, pass.input, bias);
  accumulate(bias, dL_dbias);
  return dL_dx;
}

Deployment ModReluImpl::deploy() {
  const auto b = bias.detach();  // what is deployed learns no more
  return {{{"bias", b}}, [b](const torch::Tensor& z) { return ops::mod_relu_reference(z, b); }};
}

void ModReluImpl::pretty_print(std::ostream& stream) const {
  stream << "optotorch::ModRelu(ports=" << options.ports() << ")";
}

}  // namespace optotorch
