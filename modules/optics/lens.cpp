#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/detail/lengths.h>
#include <optotorch/modules/optics/hop_options.h>
#include <optotorch/modules/optics/lens.h>

#include <cmath>
#include <numbers>

namespace optotorch {
namespace {

torch::Tensor make_mask(const LensOptions& options) {
  const c10::InferenceMode ordinary(false);
  const torch::NoGradGuard no_grad;
  const auto down = sample_places(options.window()[0], options.spacing(), options.center()[0]);
  const auto right = sample_places(options.window()[1], options.spacing(), options.center()[1]);
  const auto squared = down.square().unsqueeze(1) + right.square();
  std::vector<torch::Tensor> planes;
  for (const double wavelength : options.wavelengths()) {
    const auto phase = squared * (-std::numbers::pi / (wavelength * options.focal_length()));
    planes.push_back(at::complex(phase.cos(), phase.sin()));
  }
  return planes.size() == 1 ? planes.front() : at::stack(planes);
}

}  // namespace

LensImpl::LensImpl(LensOptions options_) : CloneableLayer("Lens"), options(std::move(options_)) {
  check_window(name(), "window", options.window());
  OPTOTORCH_CHECK(std::isfinite(options.focal_length()) && options.focal_length() != 0, .where = name(),
                  .argument = "focal_length", .expected = "finite, not 0 m",
                  .got = c10::str(options.focal_length()));
  OPTOTORCH_CHECK(!options.wavelengths().empty(), .where = name(), .argument = "wavelengths",
                  .expected = "one or more", .got = "none");
  check_lengths(name(), "wavelengths", options.wavelengths());
  check_lengths(name(), "spacing", {options.spacing()});
  check_place(name(), "center", options.center());
  mask_ = make_mask(options);
  OPTOTORCH_CHECK(at::isfinite(mask_).all().item<bool>(), .where = name(), .argument = "focal_length",
                  .expected = "one whose phases are finite numbers", .got = c10::str(options.focal_length()),
                  .remedy = "Lengths are metres");
}

void LensImpl::check_input(const torch::Tensor& x) const {
  check_planes(*this, x, options.window(), options.wavelengths());
}

torch::Tensor LensImpl::compute(const torch::Tensor& x, Pass* /*kept*/) {
  return x * mask_.type_as(x);
}

torch::Tensor LensImpl::compute_pullback(const Pass& /*pass*/, const torch::Tensor& dL_dy, bool to_input) {
  return to_input ? dL_dy * mask_.type_as(dL_dy).conj() : torch::Tensor();
}

Deployment LensImpl::deploy() {
  return {{{"mask", mask_}}, [mask = mask_](const torch::Tensor& x) { return x * mask.type_as(x); }};
}

namespace {

const RegisteredPart lens_type(part_type<LensImpl>("Lens", LensOptions({1, 1}, 1), 2));

}  // namespace
}  // namespace optotorch
