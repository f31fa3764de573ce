#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/phase_screen.h>

#include <numbers>

namespace optotorch {

PhaseScreenImpl::PhaseScreenImpl(PhaseScreenOptions options_)
    : CloneableLayer("PhaseScreen"), options(options_) {
  check_shape(*this, options.shape());
  gamma = register_phases("gamma", torch::empty(options.shape()).uniform_(0, 2 * std::numbers::pi));
}

void PhaseScreenImpl::check_input(const torch::Tensor& x) const {
  check_field(*this, x, options.shape());
  check_precision(*this, x, gamma);
}

torch::Tensor PhaseScreenImpl::compute(const torch::Tensor& x, Pass* kept) {
  check_finite("PhaseScreen", "gamma", gamma);
  return x * at::complex(gamma.cos(), gamma.sin());
}

std::vector<torch::Tensor> PhaseScreenImpl::read_by_pullback(const Pass& pass) const {
  return {pass.output, gamma};
}

torch::Tensor PhaseScreenImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) {
  // dL_dgamma = Re(conj(dL_dy) i y) = Im(dL_dy conj(y))
  accumulate(gamma, at::imag(dL_dy * pass.output.conj()).flatten(0, -1 - gamma.dim()).sum(0));
  return to_input ? dL_dy * at::complex(gamma.cos(), -gamma.sin()) : torch::Tensor();
}

Deployment PhaseScreenImpl::deploy() {
  const torch::NoGradGuard no_grad;  // what is deployed learns no more
  const auto factor = at::complex(gamma.cos(), gamma.sin());
  return {{{"factor", factor}}, [factor](const torch::Tensor& x) { return x * factor; }};
}

namespace {

const RegisteredPart registered(part_type<PhaseScreenImpl>("PhaseScreen", PhaseScreenOptions(1), 1));

}  // namespace
}  // namespace optotorch
