#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/detail/reading.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/ops/photodetect.h>

#include <algorithm>

namespace optotorch {

std::string to_string(Detection detection) {
  switch (detection) {
    case Detection::intensity:
      return "intensity";
    case Detection::amplitude:
      return "amplitude";
    case Detection::balanced:
      return "balanced";
    case Detection::coherent:
      return "coherent";
  }
  return "";
}

torch::Tensor detector_reading(Detection detection, const torch::Tensor& intensity) {
  switch (detection) {
    case Detection::amplitude:
      return (intensity.clamp_min(0) + dark_intensity).sqrt();
    case Detection::balanced: {
      const auto pairs = intensity.unflatten(-1, {-1, 2});
      return pairs.select(-1, 0) - pairs.select(-1, 1);
    }
    default:
      return intensity;
  }
}

namespace {

/// +1, -1 for every pair: [batch, ..., N/2] -> [batch, ..., N].
torch::Tensor to_pairs(const torch::Tensor& difference) {
  return at::stack({difference, -difference}, -1).flatten(-2);
}

/// The two quadratures as one complex number.
torch::Tensor to_complex(const torch::Tensor& quadratures) {
  const auto halves = quadratures.chunk(2, -1);
  return at::complex(halves[0].contiguous(), halves[1].contiguous());
}

}  // namespace

PhotodetectorImpl::PhotodetectorImpl(PhotodetectorOptions options_)
    : CloneableLayer("Photodetector"), options(options_) {
  check_noise("Photodetector", "shot_noise, thermal_noise", options.shot_noise(), options.thermal_noise());
  passes = register_buffer("passes", torch::zeros({}, torch::kInt64));
}

void PhotodetectorImpl::check_input(const torch::Tensor& x) const {
  OPTOTORCH_CHECK(x.defined() && x.is_complex() && x.dim() >= 2, .where = "Photodetector",
                  .argument = "input", .expected = "a complex field [batch, ..., ports]", .got = describe(x),
                  .remedy = "Electronic values need no detector");
  OPTOTORCH_CHECK(options.detection() != Detection::balanced || x.size(-1) % 2 == 0, .where = "Photodetector",
                  .argument = "input", .expected = "an even number of ports for balanced detection",
                  .got = describe(x));
}

torch::Tensor PhotodetectorImpl::compute(const torch::Tensor& x, Pass* kept) {
  const bool noisy = is_training() && (options.shot_noise() > 0 || options.thermal_noise() > 0);
  const int64_t count = noisy ? passes.item<int64_t>() : 0;
  if (noisy) {
    passes.add_(1);
  }
  const double shot = noisy ? options.shot_noise() : 0;
  const double thermal = noisy ? options.thermal_noise() : 0;
  if (options.detection() == Detection::coherent) {
    auto reading = at::cat({at::real(x), at::imag(x)}, -1);
    if (noisy) {
      // The local oscillator's shot noise does not depend on the signal: a unit field gives its deviation.
      const auto dark = at::complex(at::ones_like(reading), at::zeros_like(reading));
      reading += ops::photodetect(dark, shot, thermal, options.seed(), count) - 1;
    }
    return reading;
  }
  return detector_reading(options.detection(), ops::photodetect(x, shot, thermal, options.seed(), count));
}

torch::Tensor PhotodetectorImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy,
                                                  bool to_input) {
  switch (options.detection()) {
    case Detection::intensity:
      return ops::photodetect_backward(dL_dy.contiguous(), pass.input);
    // h = sqrt(I + d): dL_dz = z dL_dh / h
    case Detection::amplitude:
      return pass.input * (dL_dy / (ops::photodetect(pass.input) + dark_intensity).sqrt());
    case Detection::balanced:
      return ops::photodetect_backward(to_pairs(dL_dy), pass.input);
    case Detection::coherent:
      return to_complex(dL_dy);
  }
  return {};
}

torch::Tensor PhotodetectorImpl::carry(const Pass& pass, const torch::Tensor& signal) const {
  switch (options.detection()) {
    case Detection::balanced:
      return ResponseLayer::carry(pass, to_pairs(signal));
    case Detection::coherent:
      return to_complex(signal);
    default:
      return ResponseLayer::carry(pass, signal);
  }
}

Traversal PhotodetectorImpl::traversal(const Pass& pass) const {
  return {{{parts::detectors, 1}}, 1, 0, pass.output.numel() / std::max<int64_t>(1, pass.output.size(0))};
}

Deployment PhotodetectorImpl::deploy() {
  return {{}, [detection = options.detection()](const torch::Tensor& z) {
            return detection == Detection::coherent
                       ? at::cat({at::real(z), at::imag(z)}, -1)
                       : detector_reading(detection, ops::photodetect_reference(z));
          }};
}

namespace {

const RegisteredPart photodetector_type(part_type<PhotodetectorImpl>("Photodetector",
                                                                     PhotodetectorOptions()));

}  // namespace

}  // namespace optotorch
