#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/freeze.h>
#include <optotorch/modules/optics/correlator4f.h>
#include <optotorch/ops/free_space.h>

#include <numbers>

namespace optotorch {

std::vector<int64_t> Correlator4fOptions::padded() const {
  return {window_.at(0) * padding_, window_.at(1) * padding_};
}

Correlator4fImpl::Correlator4fImpl(Correlator4fOptions options_)
    : CloneableLayer("Correlator4f"), options(std::move(options_)) {
  check_window(name(), "window", options.window());
  OPTOTORCH_CHECK(options.padding() == 1 || options.padding() == 2, .where = name(), .argument = "padding",
                  .expected = "1 or 2", .got = std::to_string(options.padding()));
  const auto padded = options.padded();
  if (options.modulation() != Modulation::amplitude) {
    auto start = torch::zeros(padded);
    if (options.start() == PhaseStart::uniform) {
      start.uniform_(0, 2 * std::numbers::pi);
    }
    phase = register_phases("phase", start);
  }
  if (options.modulation() != Modulation::phase) {
    amplitude = register_phases("amplitude", torch::full(padded, 2.0));
  }
}

Footprint Correlator4fImpl::footprint() const {
  return {{parts::pixels, c10::multiply_integers(options.padded())}, {parts::lenses, 2}};
}

torch::Tensor Correlator4fImpl::transfer() const {
  const torch::NoGradGuard no_grad;
  if (!phase.defined()) {
    const auto a = amplitude.sigmoid();
    return at::complex(a, at::zeros_like(a));
  }
  const auto turn = at::complex(phase.cos(), phase.sin());
  return amplitude.defined() ? turn * amplitude.sigmoid() : turn;
}

void Correlator4fImpl::check_input(const torch::Tensor& x) const {
  check_planes(*this, x, options.window(), /*wavelengths=*/{1});  // any number of planes
  check_precision(*this, x, phase.defined() ? phase : amplitude);
}

torch::Tensor Correlator4fImpl::compute(const torch::Tensor& x, Pass* /*kept*/) {
  for (const auto& parameter : named_parameters()) {
    check_finite(name(), parameter.key(), parameter.value());
  }
  return ops::free_space(x, transfer(), options.window()[0], options.window()[1]);
}

std::vector<torch::Tensor> Correlator4fImpl::read_by_pullback(const Pass& pass) const {
  auto all = parameters();
  all.push_back(pass.input);
  return all;
}

torch::Tensor Correlator4fImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy,
                                                 bool to_input) {
  const auto t = transfer();
  const bool learns = is_trainable(*this);
  const auto [dL_dx, dL_dt] = ops::free_space_backward(dL_dy, pass.input, t, to_input, learns);
  // T = a exp(i phase): dL_dphase = Im(dL_dT conj(T)), dL_da = Re(dL_dT conj(T)) / a, and a' = a (1 - a)
  const auto product = learns ? dL_dt * t.conj() : torch::Tensor();
  if (learns && phase.defined()) {
    accumulate(phase, at::imag(product));
  }
  if (learns && amplitude.defined()) {
    accumulate(amplitude, at::real(product) * (1 - amplitude.sigmoid()));
  }
  return to_input ? dL_dx : torch::Tensor();
}

Deployment Correlator4fImpl::deploy() {
  const auto t = transfer();
  return {{{"transfer", t}}, [t, window = options.window()](const torch::Tensor& x) {
            return ops::free_space_reference(x, t, window[0], window[1]);
          }};
}

namespace {

const RegisteredPart correlator4f_type(part_type<Correlator4fImpl>("Correlator4f",
                                                                   Correlator4fOptions({1, 1}), 1));

}  // namespace
}  // namespace optotorch
