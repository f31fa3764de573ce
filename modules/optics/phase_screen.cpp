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

StageDesign PhaseScreenImpl::make_design() const {
  return {.type = "PhaseScreen",
          .options = describe_options(*this),
          .input = options.shape(),
          .output = options.shape(),
          .commands = {{"gamma", {options.shape()}}}};
}

std::vector<StageError> PhaseScreenImpl::errors() const {
  return {{"phase_offset", options.shape(), "phase_error"}};
}

torch::Tensor PhaseScreenImpl::respond(const torch::Tensor& x, const Values& commands,
                                       const Values& errors) const {
  const auto phase = plus(commands.at("gamma"), errors, "phase_offset");
  return x * at::complex(phase.cos(), phase.sin());
}

Stage::Gradients PhaseScreenImpl::respond_backward(const torch::Tensor& dL_dy, const torch::Tensor& /*x*/,
                                                   const torch::Tensor& y, const Values& commands,
                                                   const Values& errors, const Wanted& wanted) const {
  const auto phase = plus(commands.at("gamma"), errors, "phase_offset");
  const auto dL_dphase = at::imag(dL_dy * y.conj()).sum(0);
  return {.dL_dx = wanted.input ? dL_dy * at::complex(phase.cos(), -phase.sin()) : torch::Tensor(),
          .commands = {{"gamma", dL_dphase}},
          .errors = {{"phase_offset", dL_dphase}}};
}

Deployment PhaseScreenImpl::deploy() {
  const torch::NoGradGuard no_grad;  // what is deployed learns no more
  const auto factor = at::complex(gamma.cos(), gamma.sin());
  return {{{"factor", factor}}, [factor](const torch::Tensor& x) { return x * factor; }};
}

namespace {

const RegisteredPart phase_screen_type(part_type<PhaseScreenImpl>("PhaseScreen", PhaseScreenOptions(1), 1));

}  // namespace
}  // namespace optotorch
