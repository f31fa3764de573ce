#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/camera.h>
#include <optotorch/modules/optics/detail/reading.h>
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

}  // namespace

CameraImpl::CameraImpl(CameraOptions options_) : CloneableLayer("Camera"), options(std::move(options_)) {
  const auto& o = options;
  OPTOTORCH_CHECK(o.region().empty() || (o.region().size() == 4 && o.region()[0] >= 0 && o.region()[1] >= 0 &&
                                         o.region()[2] >= 1 && o.region()[3] >= 1),
                  .where = name(), .argument = "region",
                  .expected = "first row, first column, rows, columns, or nothing for all",
                  .got = c10::str("[", c10::Join(", ", o.region()), "]"));
  check_noise(name(), "shot_noise, read_noise", o.shot_noise(), o.read_noise());
  check_converter(name(), o.bits(), o.full_scale());
  passes = register_buffer("passes", torch::zeros({}, torch::kInt64));
}

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
  auto intensity = planes_of(options, ops::photodetect(region_of(options, x)));
  if (is_training() && (options.shot_noise() > 0 || options.read_noise() > 0)) {
    const auto pass = passes.item<int64_t>();
    passes.add_(1);
    intensity = noisy(intensity, options.shot_noise(), options.read_noise(), options.seed(), pass);
  }
  return converted(intensity, options.bits(), options.full_scale());
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
            return converted(planes_of(o, ops::photodetect_reference(region_of(o, z))), o.bits(),
                             o.full_scale());
          }};
}

namespace {

const RegisteredPart camera_type(part_type<CameraImpl>("Camera", CameraOptions()));

}  // namespace
}  // namespace optotorch
