#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/detail/reading.h>
#include <optotorch/modules/optics/digitizer.h>

namespace optotorch {

DigitizerImpl::DigitizerImpl(DigitizerOptions options_) : CloneableLayer("Digitizer"), options(options_) {
  check_noise(name(), "shot_noise, thermal_noise", options.shot_noise(), options.thermal_noise());
  check_converter(name(), options.bits(), options.full_scale());
  passes = register_buffer("passes", torch::zeros({}, torch::kInt64));
}

void DigitizerImpl::check_input(const torch::Tensor& x) const {
  OPTOTORCH_CHECK(x.defined() && (x.scalar_type() == torch::kFloat || x.scalar_type() == torch::kDouble),
                  .where = name(), .argument = "input", .expected = "currents, float32 or float64",
                  .got = describe(x), .remedy = "A Photodetector turns a field into real values");
}

torch::Tensor DigitizerImpl::compute(const torch::Tensor& x, Pass* /*kept*/) {
  auto current = x;
  if (is_training() && (options.shot_noise() > 0 || options.thermal_noise() > 0)) {
    const auto pass = passes.item<int64_t>();
    passes.add_(1);
    current = noisy(x.clamp_min(0), options.shot_noise(), options.thermal_noise(), options.seed(), pass);
  }
  return converted(current, options.bits(), options.full_scale());
}

torch::Tensor DigitizerImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy,
                                              bool /*to_input*/) {
  if (options.bits() == 0) {
    return dL_dy;
  }
  return dL_dy * (pass.input >= 0).logical_and(pass.input <= options.full_scale());
}

Deployment DigitizerImpl::deploy() {
  return {{}, [o = options](const torch::Tensor& x) { return converted(x, o.bits(), o.full_scale()); }};
}

namespace {

const RegisteredPart digitizer_type(part_type<DigitizerImpl>("Digitizer", DigitizerOptions()));

}  // namespace
}  // namespace optotorch
