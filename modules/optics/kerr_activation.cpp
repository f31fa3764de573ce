#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/kerr_activation.h>
#include <optotorch/ops/photodetect.h>

#include <cmath>

namespace optotorch {
namespace {

/// exp(i gamma intensity)
torch::Tensor turn(const torch::Tensor& intensity, double gamma) {
  const auto phase = intensity * gamma;
  return at::complex(phase.cos(), phase.sin());
}

}  // namespace

KerrActivationImpl::KerrActivationImpl(KerrActivationOptions options_)
    : CloneableLayer("KerrActivation"), options(options_) {
  OPTOTORCH_CHECK(std::isfinite(options.gamma()), .where = name(), .argument = "gamma",
                  .expected = "a finite number", .got = c10::str(options.gamma()));
}

void KerrActivationImpl::check_input(const torch::Tensor& x) const {
  check_field(*this, x);
}

torch::Tensor KerrActivationImpl::compute(const torch::Tensor& x, Pass* /*kept*/) {
  return x * turn(ops::photodetect(x), options.gamma());
}

torch::Tensor KerrActivationImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy,
                                                   bool to_input) {
  if (!to_input) {
    return {};
  }
  const auto& z = pass.input;
  const auto h = dL_dy * turn(ops::photodetect(z), -options.gamma());
  return h + z * (2 * options.gamma() * at::imag(z.conj() * h));
}

Deployment KerrActivationImpl::deploy() {
  return {{}, [gamma = options.gamma()](const torch::Tensor& z) {
            return z * turn(ops::photodetect_reference(z), gamma);
          }};
}

namespace {

const RegisteredPart kerr_activation_type(part_type<KerrActivationImpl>("KerrActivation",
                                                                        KerrActivationOptions()));

}  // namespace
}  // namespace optotorch
