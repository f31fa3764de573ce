#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/saturable_absorber.h>
#include <optotorch/ops/activation.h>

#include <cmath>

namespace optotorch {

SaturableAbsorberImpl::SaturableAbsorberImpl(SaturableAbsorberOptions options_)
    : CloneableLayer("SaturableAbsorber"), options(options_) {
  OPTOTORCH_CHECK(options.depth() >= 0 && options.saturation() > 0 && std::isfinite(options.depth()) &&
                      std::isfinite(options.saturation()),
                  .where = name(), .argument = "depth, saturation",
                  .expected = "finite numbers, depth >= 0 and saturation > 0",
                  .got = c10::str(options.depth(), ", ", options.saturation()));
}

void SaturableAbsorberImpl::check_input(const torch::Tensor& x) const {
  check_field(*this, x);
}

torch::Tensor SaturableAbsorberImpl::compute(const torch::Tensor& x, Pass* kept) {
  return ops::saturable_absorber(x, options.depth(), options.saturation());
}

torch::Tensor SaturableAbsorberImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy,
                                                      bool to_input) {
  return ops::saturable_absorber_backward(dL_dy, pass.input, options.depth(), options.saturation());
}

Deployment SaturableAbsorberImpl::deploy() {
  return {{}, [o = options](const torch::Tensor& z) {
            return ops::saturable_absorber_reference(z, o.depth(), o.saturation());
          }};
}

namespace {

const RegisteredPart saturable_absorber_type(part_type<SaturableAbsorberImpl>("SaturableAbsorber",
                                                                              SaturableAbsorberOptions()));

}  // namespace
}  // namespace optotorch
