#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/irange.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/aperture.h>
#include <optotorch/modules/optics/detail/lengths.h>
#include <optotorch/modules/optics/hop_options.h>

namespace optotorch {
namespace {

constexpr int64_t places_a_side = 8;

/// Part of every sample's side that lies within `size` of a rectangle. In samples: half numbers are exact, so
/// that one in the middle is whole.
torch::Tensor covered(int64_t count, double size, double center) {
  const auto places = sample_places(count, 1, center);
  return at::clamp(at::clamp_max(places + .5, size / 2) - at::clamp_min(places - .5, -size / 2), 0, 1);
}

/// Part of every sample's square that lies in an ellipse. Place by place: as one tensor it would be 64 times
/// the window.
torch::Tensor covered_by_ellipse(const torch::Tensor& down, const torch::Tensor& right,
                                 const ApertureOptions& options) {
  const auto squares = [&](const torch::Tensor& places, int64_t place, double size) {
    const double beside = (static_cast<double>(place) + .5) / places_a_side - .5;
    return ((places + beside * options.spacing()) * (2 / size)).square();
  };
  auto count = at::zeros({down.size(0), right.size(0)}, down.options());
  for (const auto row : c10::irange(places_a_side)) {
    const auto by_row = squares(down, row, options.size()[0]).unsqueeze(1);
    for (const auto column : c10::irange(places_a_side)) {
      count += (by_row + squares(right, column, options.size()[1])).le(1);
    }
  }
  return count / (places_a_side * places_a_side);
}

torch::Tensor opening(const ApertureOptions& options) {
  const c10::InferenceMode ordinary(false);
  const torch::NoGradGuard no_grad;
  const double spacing = options.spacing();
  const auto& window = options.window();
  const auto &size = options.size(), &center = options.center();
  if (options.shape() == ApertureShape::rectangle) {
    return covered(window[0], size[0] / spacing, center[0] / spacing).unsqueeze(1) *
           covered(window[1], size[1] / spacing, center[1] / spacing);
  }
  return covered_by_ellipse(sample_places(window[0], spacing, center[0]),
                            sample_places(window[1], spacing, center[1]), options);
}

/// t in the precision of a field.
torch::Tensor like_field(const torch::Tensor& open, const torch::Tensor& x) {
  return open.type_as(at::real(x));
}

}  // namespace

ApertureImpl::ApertureImpl(ApertureOptions options_)
    : CloneableLayer("Aperture"), options(std::move(options_)) {
  check_window(name(), "window", options.window());
  OPTOTORCH_CHECK(options.size().size() == 2, .where = name(), .argument = "size",
                  .expected = "height and width", .got = c10::str(options.size().size(), " numbers"));
  check_lengths(name(), "size", options.size());
  check_lengths(name(), "spacing", {options.spacing()});
  check_place(name(), "center", options.center());
  open_ = opening(options);
}

void ApertureImpl::check_input(const torch::Tensor& x) const {
  check_planes(*this, x, options.window(), /*wavelengths=*/{1});  // any number of planes
}

torch::Tensor ApertureImpl::compute(const torch::Tensor& x, Pass* /*kept*/) {
  return x * like_field(open_, x);
}

torch::Tensor ApertureImpl::compute_pullback(const Pass& /*pass*/, const torch::Tensor& dL_dy,
                                             bool to_input) {
  return to_input ? dL_dy * like_field(open_, dL_dy) : torch::Tensor();
}

Deployment ApertureImpl::deploy() {
  return {{{"open", open_}}, [open = open_](const torch::Tensor& x) { return x * like_field(open, x); }};
}

namespace {

const RegisteredPart aperture_type(part_type<ApertureImpl>("Aperture", ApertureOptions({1, 1}, {1, 1}), 2));

}  // namespace
}  // namespace optotorch
