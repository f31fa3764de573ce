#include <ATen/ATen.h>
#include <c10/util/irange.h>
#include <optotorch/modules/optics/detail/pixels.h>
#include <optotorch/modules/optics/detail/plane_mask.h>
#include <optotorch/modules/optics/detail/rotated_planes.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace optotorch {
namespace {

constexpr double pi = std::numbers::pi;
constexpr int64_t most_half_waves = 3;

/// Places of `count` samples from the middle, in samples.
torch::Tensor from_middle(int64_t count, const torch::TensorOptions& type) {
  return torch::arange(count, type) - static_cast<double>(count - 1) / 2;
}

torch::Tensor turned(const torch::Tensor& phase) {
  return at::complex(phase.cos(), phase.sin());
}

}  // namespace

torch::Tensor aberration_modes(const std::vector<int64_t>& pixels, const torch::TensorOptions& type) {
  const auto waves = [&](int64_t count) {
    const auto place = (torch::arange(count, torch::kFloat64) + .5) * (pi / static_cast<double>(count));
    auto all = (torch::arange(most_half_waves + 1, torch::kFloat64).unsqueeze(1) * place).cos();
    return all / all.square().mean(1, /*keepdim=*/true).sqrt();
  };
  const auto down = waves(pixels[0]), across = waves(pixels[1]);
  const auto products = (down.view({-1, 1, pixels[0], 1}) * across.view({1, -1, 1, pixels[1]})).flatten(0, 1);
  const auto modes = products.slice(0, 1);
  return (modes / std::sqrt(static_cast<double>(modes.size(0)))).to(type);
}

PlaneMask::PlaneMask(const DiffractiveLayerOptions& options, const Values& commands, const Values& errors)
    : options_(options), commands_(commands), errors_(errors) {
  const auto& wavelengths = options.hop().wavelengths();
  for (const double wavelength : wavelengths) {
    scale_.push_back(wavelengths.front() / wavelength);
  }
  const auto type = commands.begin()->second.options();
  commanded_ = find(commands, "phase");
  size_ = torch::ones(options.pixels(), type);
  phase_ = torch::zeros(options.pixels(), type);
  if (commanded_.defined()) {
    phase_ = commanded_;
    if (const auto gain = find(errors, "gain"); gain.defined()) {
      phase_ = phase_ + gain * commanded_;
    }
    if (const auto curve = find(errors, "curve"); curve.defined()) {
      phase_ = phase_ + curve[0] * commanded_.sin() + curve[1] * (2 * commanded_).sin();
    }
    if (const auto coupling = find(errors, "coupling"); coupling.defined()) {
      size_ = 1 - coupling * (1 - commanded_.cos()) / 2;
    }
  }
  phase_ = plus(phase_, errors, "phase_offset");
  if (const auto aberration = find(errors, "aberration"); aberration.defined()) {
    phase_ = phase_ + at::tensordot(aberration, aberration_modes(options.pixels(), type), {0}, {0});
  }
  if (const auto amplitude = find(commands, "amplitude"); amplitude.defined()) {
    attenuation_ = amplitude.sigmoid();
    size_ = size_ * attenuation_;
  }
  std::vector<torch::Tensor> planes;
  for (const double scale : scale_) {
    planes.push_back(size_ * turned(scale * phase_));
  }
  pixels_ = at::stack(planes);
  standing_ = sampled_pixels(pixels_, options.oversampling(), options.fill_factor());
  mask_ = standing_;
  if (const auto angle = find(errors, "rotation"); angle.defined()) {
    mask_ = rotated(standing_, angle.item<double>());
  }
  if (find(errors, "tilt").defined()) {
    mask_ = mask_ * turned(ramp());
  }
  if (scale_.size() == 1) {
    mask_ = mask_.squeeze(0);
  }
}

torch::Tensor PlaneMask::ramp() const {
  const auto type = phase_.options();
  const auto window = options_.window();
  const auto tilt = errors_.at("tilt");
  const double spacing = options_.sample_hop().spacing();
  const auto way =
      (from_middle(window[0], type).unsqueeze(1) * tilt[0] + from_middle(window[1], type) * tilt[1]) *
      (2 * pi * spacing);
  std::vector<torch::Tensor> planes;
  for (const double wavelength : options_.hop().wavelengths()) {
    planes.push_back(way / wavelength);
  }
  return at::stack(planes);
}

torch::Tensor PlaneMask::pull_back_place(const torch::Tensor& dL_dmask, Values& errors) const {
  auto g = dL_dmask;
  const auto type = phase_.options();
  const auto window = options_.window();
  if (find(errors_, "tilt").defined()) {
    const auto m = scale_.size() == 1 ? mask_.unsqueeze(0) : mask_;
    auto slope = at::imag(g * m.conj());
    std::vector<torch::Tensor> each;
    for (const auto n : c10::irange(scale_.size())) {
      each.push_back(slope[static_cast<int64_t>(n)] / options_.hop().wavelengths()[n]);
    }
    slope = at::stack(each).sum(0) * (2 * pi * options_.sample_hop().spacing());
    errors["tilt"] = at::stack({(slope * from_middle(window[0], type).unsqueeze(1)).sum(),
                                (slope * from_middle(window[1], type)).sum()});
    g = g * turned(-ramp());
  }
  const auto angle = find(errors_, "rotation");
  if (!angle.defined()) {
    return g;
  }
  const auto gradients = rotated_backward(g, standing_, angle.item<double>());
  errors["rotation"] = torch::full({1}, gradients.dL_dangle, type);
  return gradients.dL_dplanes;
}

void PlaneMask::pull_back(const torch::Tensor& dL_dmask, Values& commands, Values& errors) const {
  auto g = pull_back_place(dL_dmask.dim() == 2 ? dL_dmask.unsqueeze(0) : dL_dmask, errors);
  g = summed_samples(g, options_.oversampling(), options_.fill_factor());
  // m = a exp(i s phase): dL_dphase = s Im(g conj(m)), dL_da = Re(g exp(-i s phase))
  auto dL_dphase = torch::zeros_like(phase_), dL_dsize = torch::zeros_like(phase_);
  for (const auto n : c10::irange(scale_.size())) {
    const auto plane = static_cast<int64_t>(n);
    dL_dphase = dL_dphase + at::imag(g[plane] * pixels_[plane].conj()) * scale_[n];
    dL_dsize = dL_dsize + at::real(g[plane] * turned(-scale_[n] * phase_));
  }
  if (attenuation_.defined()) {
    commands["amplitude"] = dL_dsize * size_ * (1 - attenuation_);
  }
  if (find(errors_, "phase_offset").defined()) {
    errors["phase_offset"] = dL_dphase;
  }
  if (find(errors_, "aberration").defined()) {
    errors["aberration"] =
        at::tensordot(aberration_modes(options_.pixels(), phase_.options()), dL_dphase, {1, 2}, {0, 1});
  }
  if (!commanded_.defined()) {
    return;
  }
  const auto p = commanded_;
  auto slope = torch::ones_like(p);
  auto dL_dp = torch::zeros_like(p);
  if (const auto gain = find(errors_, "gain"); gain.defined()) {
    errors["gain"] = (dL_dphase * p).sum().reshape({1});
    slope = slope + gain;
  }
  if (const auto curve = find(errors_, "curve"); curve.defined()) {
    errors["curve"] = at::stack({(dL_dphase * p.sin()).sum(), (dL_dphase * (2 * p).sin()).sum()});
    slope = slope + curve[0] * p.cos() + 2 * curve[1] * (2 * p).cos();
  }
  if (const auto coupling = find(errors_, "coupling"); coupling.defined()) {
    const auto dL_dcoupled = attenuation_.defined() ? dL_dsize * attenuation_ : dL_dsize;
    errors["coupling"] = (dL_dcoupled * (p.cos() - 1) / 2).sum().reshape({1});
    dL_dp = dL_dcoupled * coupling * p.sin() / -2;
  }
  commands["phase"] = dL_dp + dL_dphase * slope;
}

}  // namespace optotorch
