#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <optotorch/ops/activation.h>

#include <cmath>

namespace optotorch {

ElectroOpticActivationImpl::ElectroOpticActivationImpl(ElectroOpticActivationOptions options_)
    : CloneableLayer("ElectroOpticActivation"), options(options_) {
  OPTOTORCH_CHECK(options.tap() >= 0 && options.tap() < 1, .where = name(), .argument = "tap",
                  .expected = "a fraction in [0, 1)", .got = std::to_string(options.tap()));
  OPTOTORCH_CHECK(std::isfinite(options.gain()) && std::isfinite(options.bias()), .where = name(),
                  .argument = "gain, bias", .expected = "finite numbers",
                  .got = c10::str(options.gain(), ", ", options.bias()));
}

void ElectroOpticActivationImpl::check_input(const torch::Tensor& x) const {
  check_field(*this, x);
}

torch::Tensor ElectroOpticActivationImpl::compute(const torch::Tensor& x, Pass* kept) {
  return ops::electro_optic(x, options.tap(), options.gain(), options.bias());
}

torch::Tensor ElectroOpticActivationImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy,
                                                           bool to_input) {
  return ops::electro_optic_backward(dL_dy, pass.input, options.tap(), options.gain(), options.bias());
}

Deployment ElectroOpticActivationImpl::deploy() {
  return {{}, [o = options](const torch::Tensor& z) {
            return ops::electro_optic_reference(z, o.tap(), o.gain(), o.bias());
          }};
}

namespace {

const RegisteredPart electro_optic_activation_type(
    part_type<ElectroOpticActivationImpl>("ElectroOpticActivation", ElectroOpticActivationOptions()));

}  // namespace
}  // namespace optotorch
