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

/// True if the hop can start where a plane stands at the price of transforms of single rows. Others start where it was
/// designed to stand: light is moved back to there.
bool starts_anywhere(const DiffractiveLayerOptions& options) {
  return options.hop().propagation() == Propagation::fresnel && options.hop().sampling() == Sampling::cropped;
}

/// The hop behind a plane that stands elsewhere.
struct MovedHop {
  torch::Tensor transfer;
  torch::Tensor by_distance;  ///< by a part of the distance; undefined unless asked for, as the next
  std::vector<torch::Tensor>
      by_offset;  ///< by pixels that the plane stands lower, and farther right, if it starts there
};

MovedHop hop_behind(const DiffractiveLayerOptions& options, const Values& errors,
                    const torch::TensorOptions& field, bool with_slopes) {
  const auto number = [&](const char* name, int64_t index) {
    const auto value = find(errors, name);
    return value.defined() ? value[index].item<double>() : 0;
  };
  const double part = number("distance", 0), pixel = options.hop().spacing();
  const auto hop = options.sample_hop();
  const bool is_separable = starts_anywhere(options);
  std::vector<torch::Tensor> values, by_distance, by_down, by_right;
  for (const auto n : c10::irange(hop.wavelengths().size())) {
    auto design = hop.geometry(n, options.window(), options.window_behind());
    const auto at_part = [&](double of_distance) {
      auto moved = design;
      moved.distance = std::max(0.0, design.distance * (1 + of_distance));
      return moved;
    };
    if (is_separable) {
      // Of the window behind, as the plane sees it.
      design.offset = {-pixel * number("offset", 0), -pixel * number("offset", 1)};
      const auto factors = ops::separable_transfer(at_part(part));
      const auto &down = factors.factor[0], &across = factors.factor[1];
      values.push_back(down.unsqueeze(1) * across);
      if (with_slopes) {
        by_distance.push_back(
            (factors.by_distance[0].unsqueeze(1) * across + down.unsqueeze(1) * factors.by_distance[1]) *
            design.distance);
        by_down.push_back(factors.by_offset[0].unsqueeze(1) * across * -pixel);
        by_right.push_back(down.unsqueeze(1) * factors.by_offset[1] * -pixel);
      }
      continue;
    }
    values.push_back(ops::transfer_function(at_part(part)));
    if (with_slopes) {
      // A step of a part of a wavelength turns no wave by more than that part.
      const double step = design.wavelength / 1000 / std::max(design.distance, design.wavelength);
      by_distance.push_back(
          (ops::transfer_function(at_part(part + step)) - ops::transfer_function(at_part(part - step))) /
          (2 * step));
    }
  }
  const auto joined = [&](const std::vector<torch::Tensor>& each) {
    return (each.size() == 1 ? each.front() : at::stack(each)).to(field);
  };
  MovedHop moved{joined(values), {}, {}};
  if (with_slopes) {
    moved.by_distance = joined(by_distance);
    if (is_separable) {
      moved.by_offset = {joined(by_down), joined(by_right)};
    }
  }
  return moved;
}

/// To where a plane stands from where it was designed to stand, or back: a transfer function of no distance.
struct Shift {
  torch::Tensor transfer;
  std::vector<torch::Tensor> slopes;  ///< by pixels down and right; none unless asked for
};

/// `sign`: 1 there, -1 back.
Shift shift_of(const DiffractiveLayerOptions& options, const torch::Tensor& offset, double sign,
               const torch::TensorOptions& field, bool with_slopes) {
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
  if (with_slopes) {
    shift.slopes = {(factors.by_offset[0].unsqueeze(1) * across * pixel).to(field),
                    (down.unsqueeze(1) * factors.by_offset[1] * pixel).to(field)};
  }
  return shift;
}

/// Re sum conj(g) T' x of every slope T', [slopes].
torch::Tensor along(const torch::Tensor& g, const torch::Tensor& x,
                    const std::vector<torch::Tensor>& slopes) {
  std::vector<torch::Tensor> sums;
  for (const auto& slope : slopes) {
    const auto moved = ops::free_space(x, slope, g.size(2), g.size(3));
    sums.push_back((at::view_as_real(g.resolve_conj()) * at::view_as_real(moved)).sum());
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
  // Rotation, tilt and distance by what changes the light at the plane's edge alike, whatever the plane's size.
  const double side = static_cast<double>(std::max(options.pixels()[0], options.pixels()[1]));
  std::vector<StageError> all = {
      {"phase_offset", options.pixels(), "phase_error"},
      {"aberration", {aberration_modes({1, 1}, torch::kFloat64).size(0)}, "aberration"},
      {"offset", {2}, "offset_error"},
      {.name = "rotation", .shape = {1}, .imperfection = "rotation_error", .unit = 6.4 / side},
      {.name = "tilt", .shape = {2}, .imperfection = "tilt_error", .unit = .064 / side},
      {.name = "distance", .shape = {1}, .imperfection = "distance_error", .least = -.9, .unit = 6.4 / side},
  };
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
  const auto offset = find(errors, "offset");
  const auto shifted = [&](const torch::Tensor& light, double sign) {
    const auto shift = shift_of(options, offset, sign, x.options(), /*with_slopes=*/false);
    return ops::free_space(light, shift.transfer, in[0], in[1]);
  };
  auto light = (offset.defined() ? shifted(x, 1) : x) * plane.mask();
  if (offset.defined() && !starts_anywhere(options)) {
    light = shifted(light, -1);
  }
  if (find(errors, "distance").defined() || (offset.defined() && starts_anywhere(options))) {
    const auto hop = hop_behind(options, errors, x.options(), /*with_slopes=*/false);
    return ops::free_space(light, hop.transfer, out[0], out[1]);
  }
  return options.sample_hop().carry(light, in, out);
}

Stage::Gradients DiffractiveLayerImpl::respond_backward(const torch::Tensor& dL_dy, const torch::Tensor& x,
                                                        const torch::Tensor& /*y*/, const Values& commands,
                                                        const Values& errors, const Wanted& wanted) const {
  const PlaneMask plane(options, commands, errors);
  const auto in = options.window(), out = options.window_behind();
  const auto offset = find(errors, "offset"), distance = find(errors, "distance");
  const bool learns = wanted.commands || wanted.errors, learns_offset = wanted.errors && offset.defined();
  // seen = S x, passed = m seen, light = B passed, y = H light. Without an offset S and B are nothing, and B is where H
  // starts from the plane.
  Shift there, back;
  auto seen = x;
  if (offset.defined()) {
    there = shift_of(options, offset, 1, x.options(), wanted.errors);
    seen = learns ? ops::free_space(x, there.transfer, in[0], in[1]) : seen;
    back = starts_anywhere(options) ? back : shift_of(options, offset, -1, x.options(), wanted.errors);
  }
  const bool is_moved = distance.defined() || (offset.defined() && starts_anywhere(options));
  torch::Tensor passed, light;
  if (wanted.errors && (offset.defined() || distance.defined())) {
    passed = seen * plane.mask();
    light = back.transfer.defined() && distance.defined()
                ? ops::free_space(passed, back.transfer, in[0], in[1])
                : passed;
  }
  Gradients gradients;
  torch::Tensor signal, dL_doffset;
  if (is_moved) {
    const auto hop = hop_behind(options, errors, x.options(), wanted.errors);
    signal = ops::free_space(dL_dy, hop.transfer.conj(), in[0], in[1]);
    if (wanted.errors && distance.defined()) {
      gradients.errors["distance"] = along(dL_dy, light, {hop.by_distance});
    }
    if (learns_offset && !hop.by_offset.empty()) {
      dL_doffset = along(dL_dy, passed, hop.by_offset);
    }
  } else {
    signal = options.sample_hop().carry_back(dL_dy, in, out);
  }
  if (back.transfer.defined()) {
    dL_doffset = learns_offset ? along(signal, passed, back.slopes) : dL_doffset;
    signal = ops::free_space(signal, back.transfer.conj(), in[0], in[1]);
  }
  if (learns) {
    plane.pull_back(summed_product(signal, seen, plane.mask().dim()), gradients.commands, gradients.errors);
  }
  if (wanted.input || learns_offset) {
    signal.mul_(plane.mask().conj());
  }
  if (learns_offset) {
    gradients.errors["offset"] = dL_doffset + along(signal, x, there.slopes);
  }
  if (wanted.input) {
    gradients.dL_dx =
        offset.defined() ? ops::free_space(signal, there.transfer.conj(), in[0], in[1]) : signal;
  }
  return gradients;
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
  const auto gradients = respond_backward(dL_dy, pass.input, pass.output, commands(), errors,
                                          {.input = to_input, .errors = false});
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
