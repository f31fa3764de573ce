#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/camera.h>
#include <optotorch/ops/photodetect.h>

#include <algorithm>
#include <cmath>

namespace optotorch {
namespace {

torch::Tensor region_of(const CameraOptions& o, const torch::Tensor& x) {
  const auto& r = o.region();
  return r.empty() ? x : x.narrow(2, r[0], r[2]).narrow(3, r[1], r[3]);
}

torch::Tensor planes_of(const CameraOptions& o, const torch::Tensor& intensity) {
  return o.sum_planes() ? intensity.sum(1, /*keepdim=*/true) : intensity;
}

torch::Tensor converted(const CameraOptions& o, const torch::Tensor& intensity) {
  if (o.bits() == 0) {
    return intensity;
  }
  const double step = o.full_scale() / (std::ldexp(1.0, static_cast<int>(o.bits())) - 1);
  return (intensity.clamp(0, o.full_scale()) / step).round() * step;
}

}  // namespace

CameraImpl::CameraImpl(CameraOptions options_) : CloneableLayer("Camera"), options(std::move(options_)) {
  const auto& o = options;
  OPTOTORCH_CHECK(o.region().empty() || (o.region().size() == 4 && o.region()[0] >= 0 && o.region()[1] >= 0 &&
                                         o.region()[2] >= 1 && o.region()[3] >= 1),
                  .where = name(), .argument = "region",
                  .expected = "first row, first column, rows, columns, or nothing for all",
                  .got = c10::str("[", c10::Join(", ", o.region()), "]"));
  OPTOTORCH_CHECK(o.shot_noise() >= 0 && o.read_noise() >= 0 && std::isfinite(o.shot_noise()) &&
                      std::isfinite(o.read_noise()),
                  .where = name(), .argument = "shot_noise, read_noise", .expected = "finite values >= 0",
                  .got = c10::str(o.shot_noise(), ", ", o.read_noise()));
  OPTOTORCH_CHECK(o.bits() >= 0 && o.bits() <= 24, .where = name(), .argument = "bits",
                  .expected = "0 (any value) to 24", .got = std::to_string(o.bits()));
  OPTOTORCH_CHECK(o.full_scale() > 0 && std::isfinite(o.full_scale()), .where = name(),
                  .argument = "full_scale", .expected = "a finite intensity above 0",
                  .got = c10::str(o.full_scale()));
  passes = register_buffer("passes", torch::zeros({}, torch::kInt64));
}

void CameraImpl::to(torch::Device device, torch::Dtype /*dtype*/, bool non_blocking) {
  Module::to(device, non_blocking);
}

void CameraImpl::to(torch::Dtype /*dtype*/, bool /*non_blocking*/) {}

void CameraImpl::check_input(const torch::Tensor& x) const {
  const auto& r = options.region();
  OPTOTORCH_CHECK(x.defined() && x.is_complex() && x.dim() == 4 &&
                      (r.empty() || (r[0] <= x.size(2) - r[2] && r[1] <= x.size(3) - r[3])),
                  .where = name(), .argument = "input",
                  .expected = r.empty()
                                  ? std::string("a complex field [batch, planes, height, width]")
                                  : c10::str("a complex field [batch, planes, height, width] of at least ",
                                             r[0] + r[2], " x ", r[1] + r[3], ", where the region ends"),
                  .got = describe(x));
}

torch::Tensor CameraImpl::compute(const torch::Tensor& x, Pass* /*kept*/) {
  const bool noisy = is_training() && (options.shot_noise() > 0 || options.read_noise() > 0);
  auto intensity = planes_of(options, ops::photodetect(region_of(options, x)));
  if (noisy) {
    // The noise of light that has the amplitude sqrt(I), less the light.
    const auto amplitude = intensity.sqrt();
    const auto light = at::complex(amplitude, at::zeros_like(amplitude));
    const auto count = passes.item<int64_t>();
    passes.add_(1);
    intensity = ops::photodetect(light, options.shot_noise(), options.read_noise(), options.seed(), count);
  }
  return converted(options, intensity);
}

torch::Tensor CameraImpl::on_field(const Pass& pass, const torch::Tensor& signal) const {
  const auto& r = options.region();
  const auto& x = pass.input;
  const auto all = signal.expand({-1, x.size(1), -1, -1});
  return r.empty() ? all
                   : at::constant_pad_nd(all, {r[1], x.size(3) - r[1] - r[3], r[0], x.size(2) - r[0] - r[2]});
}

torch::Tensor CameraImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool /*to_input*/) {
  auto signal = dL_dy;
  if (options.bits() > 0) {
    const auto intensity = planes_of(options, ops::photodetect(region_of(options, pass.input)));
    signal = signal * (intensity <= options.full_scale());
  }
  return ops::photodetect_backward(on_field(pass, signal).contiguous(), pass.input);
}

torch::Tensor CameraImpl::carry(const Pass& pass, const torch::Tensor& signal) const {
  return ResponseLayer::carry(pass, on_field(pass, signal));
}

Deployment CameraImpl::deploy() {
  return {{}, [o = options](const torch::Tensor& z) {
            return converted(o, planes_of(o, ops::photodetect_reference(region_of(o, z))));
          }};
}

namespace {

const RegisteredPart camera_type(part_type<CameraImpl>("Camera", CameraOptions()));

}  // namespace
}  // namespace optotorch
