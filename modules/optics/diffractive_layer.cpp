#include <ATen/ATen.h>
#include <c10/util/irange.h>
#include <optotorch/core/check.h>
#include <optotorch/core/random.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/detail/plane_mask.h>
#include <optotorch/modules/optics/diffractive_layer.h>
#include <optotorch/ops/free_space.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace optotorch {
namespace {

/// T of a hop whose distance is another by the part `error`, and d T / d error if `slope` is asked for.
torch::Tensor transfer_at(const DiffractiveLayerOptions& options, double error,
                          const torch::TensorOptions& field, torch::Tensor* slope = nullptr) {
  const auto hop = options.sample_hop();
  const bool is_separable = hop.propagation() == Propagation::fresnel && hop.sampling() == Sampling::cropped;
  std::vector<torch::Tensor> values, slopes;
  for (const auto n : c10::irange(hop.wavelengths().size())) {
    auto geometry = hop.geometry(n, options.window(), options.window_behind());
    const double design = geometry.distance;
    const auto at_part = [&](double part) {
      auto moved = geometry;
      moved.distance = std::max(0.0, design * (1 + part));
      return moved;
    };
    if (is_separable) {
      const auto factors = ops::separable_transfer(at_part(error));
      const auto &down = factors.factor[0], &across = factors.factor[1];
      values.push_back(down.unsqueeze(1) * across);
      if (slope != nullptr) {
        slopes.push_back(
            (factors.by_distance[0].unsqueeze(1) * across + down.unsqueeze(1) * factors.by_distance[1]) *
            design);
      }
      continue;
    }
    values.push_back(ops::transfer_function(at_part(error)));
    if (slope != nullptr) {
      // A step of a part of a wavelength turns no wave by more than that part.
      const double step = geometry.wavelength / 1000 / std::max(design, geometry.wavelength);
      slopes.push_back(
          (ops::transfer_function(at_part(error + step)) - ops::transfer_function(at_part(error - step))) /
          (2 * step));
    }
  }
  const auto joined = [&](const std::vector<torch::Tensor>& each) {
    return (each.size() == 1 ? each.front() : at::stack(each)).to(field);
  };
  if (slope != nullptr) {
    *slope = joined(slopes);
  }
  return joined(values);
}

/// A field in the window of a plane that stands elsewhere, or back: transfer functions of no distance.
struct Shift {
  torch::Tensor transfer;
  std::array<torch::Tensor, 2> slope;  ///< by pixels down and right; undefined unless asked for
};

/// `sign`: 1 from where the plane was designed to stand, -1 back.
Shift shift_of(const DiffractiveLayerOptions& options, const torch::Tensor& offset, double sign,
               const torch::TensorOptions& field, bool with_slope) {
  const double pixel = sign * options.hop().spacing();
  const auto factors = ops::separable_transfer(
      {.wavelength = options.hop().wavelengths().front(),
       .distance = 0,
       .spacing = options.sample_hop().spacing(),
       .input = {options.window()[0], options.window()[1]},
       .output = {options.window()[0], options.window()[1]},
       .offset = {offset[0].item<double>() * pixel, offset[1].item<double>() * pixel}});
  const auto& [down, across] = factors.factor;
  Shift shift{(down.unsqueeze(1) * across).to(field), {}};
  if (with_slope) {
    shift.slope = {(factors.by_offset[0].unsqueeze(1) * across * pixel).to(field),
                   (down.unsqueeze(1) * factors.by_offset[1] * pixel).to(field)};
  }
  return shift;
}

/// Re sum conj(g) S' x of both slopes.
torch::Tensor along(const torch::Tensor& g, const torch::Tensor& x, const Shift& shift) {
  std::vector<torch::Tensor> sums;
  for (const auto& slope : shift.slope) {
    sums.push_back(at::real(g.conj() * ops::free_space(x, slope, g.size(2), g.size(3))).sum());
  }
  return at::stack(sums);
}

/// sum dL_du conj(x) of the samples and, for a mask of 2 dimensions, of the planes, which then pass the same pixels.
torch::Tensor summed_product(const torch::Tensor& dL_du, const torch::Tensor& x, int64_t dimensions) {
  constexpr int64_t together = 1 << 17;  // numbers: a product of all would not stay in the cache
  const auto numbers = c10::multiply_integers(x.sizes().slice(1));
  const auto step = std::max<int64_t>(1, together / std::max<int64_t>(1, numbers));
  auto sum = torch::zeros(x.sizes().slice(4 - dimensions), x.options());
  for (int64_t first = 0; first < x.size(0); first += step) {
    const int64_t count = std::min(step, x.size(0) - first);
    const auto product = dL_du.narrow(0, first, count) * x.narrow(0, first, count).conj();
    sum += dimensions == 2 ? product.sum({0, 1}) : product.sum(0);
  }
  return sum;
}

}  // namespace

std::vector<int64_t> DiffractiveLayerOptions::window() const {
  return {pixels_.at(0) * oversampling_, pixels_.at(1) * oversampling_};
}

std::vector<int64_t> DiffractiveLayerOptions::window_behind() const {
  return output_.empty() ? window() : output_;
}

HopOptions DiffractiveLayerOptions::sample_hop() const {
  auto hop = hop_;
  return hop.spacing(hop_.spacing() / static_cast<double>(oversampling_));
}

DiffractiveLayerImpl::DiffractiveLayerImpl(DiffractiveLayerOptions options_)
    : CloneableLayer("DiffractiveLayer"), options(std::move(options_)) {
  check_window(name(), "pixels", options.pixels());
  check_sampling(name(), options.oversampling(), options.fill_factor());
  OPTOTORCH_CHECK(options.vaccination() >= 0 && options.vaccination() <= 100, .where = name(),
                  .argument = "vaccination", .expected = "0 to 100 pixels",
                  .got = c10::str(options.vaccination()));
  options.sample_hop().check(name(), options.window(), options.window_behind());
  if (options.modulation() != Modulation::amplitude) {
    auto start = torch::zeros(options.pixels());
    if (options.start() == PhaseStart::uniform) {
      start.uniform_(0, 2 * std::numbers::pi);
    }
    phase = register_phases("phase", start);
  }
  if (options.modulation() != Modulation::phase) {
    amplitude = register_phases("amplitude", torch::full(options.pixels(), 2.0));
  }
  if (options.vaccination() > 0) {
    passes = register_buffer("passes", torch::zeros({}, torch::kInt64));
  }
}

void DiffractiveLayerImpl::check_input(const torch::Tensor& x) const {
  check_planes(*this, x, options.window(), options.hop().wavelengths());
  check_precision(*this, x, phase.defined() ? phase : amplitude);
}

StageDesign DiffractiveLayerImpl::make_design() const {
  const auto planes = static_cast<int64_t>(options.hop().wavelengths().size());
  const auto in = options.window(), out = options.window_behind();
  StageDesign design{.type = "DiffractiveLayer",
                     .options = describe_options(*this),
                     .input = {planes, in[0], in[1]},
                     .output = {planes, out[0], out[1]},
                     .commands = {}};
  for (const auto& parameter : named_parameters()) {
    design.commands[parameter.key()] = {options.pixels()};
  }
  return design;
}

std::vector<StageError> DiffractiveLayerImpl::errors() const {
  std::vector<StageError> all = {
      {"phase_offset", options.pixels(), "phase_error"},
      {"aberration", {aberration_modes({1, 1}, torch::kFloat64).size(0)}, "aberration"},
      {"offset", {2}, "offset_error"},
      {"rotation", {1}, "rotation_error"},
      {"tilt", {2}, "tilt_error"},
      {.name = "distance", .shape = {1}, .imperfection = "distance_error", .least = -.9},
  };
  all[3].unit = all[5].unit = .1;
  all[4].unit = 1e-3;
  if (phase.defined()) {
    all.push_back({"gain", {1}, "gain_error"});
    all.push_back({"curve", {2}, "curve_error"});
    all.push_back({"coupling", {1}, "amplitude_coupling", torch::ones({1}), /*least=*/0, /*most=*/1});
  }
  return all;
}

torch::Tensor DiffractiveLayerImpl::respond(const torch::Tensor& x, const Values& commands,
                                            const Values& errors) const {
  const PlaneMask plane(options, commands, errors);
  const auto in = options.window(), out = options.window_behind();
  auto light = x;
  const auto offset = find(errors, "offset");
  const auto shifted = [&](double sign) {
    if (offset.defined()) {
      const auto shift = shift_of(options, offset, sign, x.options(), /*with_slope=*/false);
      light = ops::free_space(light, shift.transfer, in[0], in[1]);
    }
  };
  shifted(1);
  light = light * plane.mask();
  shifted(-1);
  if (const auto error = find(errors, "distance"); error.defined()) {
    return ops::free_space(light, transfer_at(options, error.item<double>(), x.options()), out[0], out[1]);
  }
  return options.sample_hop().carry(light, in, out);
}

Stage::Gradients DiffractiveLayerImpl::pull(const torch::Tensor& dL_dy, const torch::Tensor& x,
                                            const Values& commands, const Values& errors,
                                            bool to_input) const {
  const PlaneMask plane(options, commands, errors);
  const auto in = options.window(), out = options.window_behind();
  Gradients gradients;
  // seen = S+ x, passed = m seen, light = S- passed, y = H light; without an offset S is nothing.
  const auto offset = find(errors, "offset");
  Shift there, back;
  auto seen = x;
  if (offset.defined()) {
    there = shift_of(options, offset, 1, x.options(), /*with_slope=*/true);
    back = shift_of(options, offset, -1, x.options(), /*with_slope=*/true);
    seen = ops::free_space(x, there.transfer, in[0], in[1]);
  }
  torch::Tensor passed, light;
  if (offset.defined() || find(errors, "distance").defined()) {
    passed = seen * plane.mask();
    light = offset.defined() ? ops::free_space(passed, back.transfer, in[0], in[1]) : passed;
  }
  torch::Tensor signal;
  if (const auto error = find(errors, "distance"); error.defined()) {
    torch::Tensor slope;
    const auto transfer = transfer_at(options, error.item<double>(), x.options(), &slope);
    const auto moved = ops::free_space(light, slope, out[0], out[1]);
    gradients.errors["distance"] = at::real(dL_dy.conj() * moved).sum().reshape({1});
    signal = ops::free_space(dL_dy, transfer.conj(), in[0], in[1]);
  } else {
    signal = options.sample_hop().carry_back(dL_dy, in, out);
  }
  if (offset.defined()) {
    gradients.errors["offset"] = along(signal, passed, back);
    signal = ops::free_space(signal, back.transfer.conj(), in[0], in[1]);
  }
  plane.pull_back(summed_product(signal, seen, plane.mask().dim()), gradients.commands, gradients.errors);
  if (to_input || offset.defined()) {
    signal.mul_(plane.mask().conj());
  }
  if (offset.defined()) {
    gradients.errors["offset"] += along(signal, x, there);
    signal = to_input ? ops::free_space(signal, there.transfer.conj(), in[0], in[1]) : signal;
  }
  gradients.dL_dx = to_input ? signal : torch::Tensor();
  return gradients;
}

Stage::Gradients DiffractiveLayerImpl::respond_backward(const torch::Tensor& dL_dy, const torch::Tensor& x,
                                                        const torch::Tensor& /*y*/, const Values& commands,
                                                        const Values& errors) const {
  return pull(dL_dy, x, commands, errors, /*to_input=*/true);
}

std::vector<torch::Tensor> DiffractiveLayerImpl::read_by_pullback(const Pass& pass) const {
  auto all = saved_tensors(pass);
  all.push_back(pass.input);
  for (const auto& parameter : named_parameters()) {
    all.push_back(parameter.value());
  }
  return all;
}

torch::Tensor DiffractiveLayerImpl::compute(const torch::Tensor& x, Pass* kept) {
  for (const auto& parameter : named_parameters()) {
    check_finite(name(), parameter.key(), parameter.value());
  }
  Values errors;
  if (passes.defined() && is_training()) {
    const auto [down, right] =
        normal_pair(static_cast<uint64_t>(options.seed()), 0, static_cast<uint64_t>(passes.item<int64_t>()));
    passes.add_(1);
    errors["offset"] = torch::tensor({down, right}, torch::kFloat64)
                           .mul_(options.vaccination())
                           .to(x.options().dtype(c10::toRealValueType(x.scalar_type())));
    if (kept != nullptr) {
      kept->saved = {errors["offset"]};
    }
  }
  return respond(x, commands(), errors);
}

torch::Tensor DiffractiveLayerImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy,
                                                     bool to_input) {
  Values errors;
  if (!pass.saved.empty()) {
    errors["offset"] = pass.saved.front();
  }
  const auto gradients = pull(dL_dy, pass.input, commands(), errors, to_input);
  accumulate_commands(gradients.commands);
  return gradients.dL_dx;
}

Deployment DiffractiveLayerImpl::deploy() {
  const torch::NoGradGuard no_grad;  // what is deployed learns no more
  const auto mask = PlaneMask(options, commands(), {}).mask().clone();
  auto deployment = options.sample_hop().deploy(options.window(), options.window_behind(), mask.options());
  deployment.tensors.emplace_back("mask", mask);
  deployment.forward = [mask, hop = deployment.forward](const torch::Tensor& x) { return hop(x * mask); };
  return deployment;
}

namespace {

const RegisteredPart diffractive_layer_type(part_type<DiffractiveLayerImpl>("DiffractiveLayer",
                                                                            DiffractiveLayerOptions({1, 1}),
                                                                            1));

}  // namespace
}  // namespace optotorch
