#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/between.h>
#include <optotorch/modules/laboratory/chips/built_stage.h>
#include <optotorch/modules/laboratory/chips/chip.h>
#include <optotorch/modules/laboratory/fine_planes.h>
#include <optotorch/modules/optics/detail/plane_mask.h>
#include <optotorch/ops/free_space.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace optotorch {
namespace {

constexpr char in_fine_planes[] = "FinePlanes";
constexpr int64_t supersamples = 3;  // of a sample, along its side, where its mask is made
const auto wide = torch::TensorOptions().dtype(torch::kFloat64);

std::vector<StageDesign> designs_of(const std::vector<std::shared_ptr<const DiffractiveLayerImpl>>& planes) {
  std::vector<StageDesign> designs;
  for (const auto& plane : planes) {
    designs.push_back(plane->design());
  }
  return designs;
}

/// Places of `count` points, one step apart, from their middle.
torch::Tensor from_middle(int64_t count, double step) {
  return (torch::arange(count, wide) - static_cast<double>(count - 1) / 2) * step;
}

/// `count` samples to `factor` times as many, complex128 [count factor, count]: interpolated by their spectrum, in a
/// frame of darkness, so that nothing comes round.
torch::Tensor interpolation(int64_t count, int64_t factor) {
  const int64_t frame = (count + 1) / 2, points = count + 2 * frame;
  const auto each = at::constant_pad_nd(at::eye(count, wide.dtype(torch::kComplexDouble)), {frame, frame});
  // The frequency 0 stands at points / 2, of the larger spectrum at points factor / 2.
  const int64_t before = points * factor / 2 - points / 2;
  const auto larger = at::constant_pad_nd(at::fft_fftshift(at::fft_fft(each), {{1}}),
                                          {before, points * (factor - 1) - before});
  // Samples of a pixel stand around its middle, half a sample and more from it.
  const double shift = (1 - static_cast<double>(factor)) / 2;
  const auto phase =
      at::fft_fftshift(at::fft_fftfreq(points * factor, 1, wide)) * (2 * std::numbers::pi * shift);
  const auto moved = larger * at::polar(at::ones_like(phase), phase);
  const auto fine = at::fft_ifft(at::fft_ifftshift(moved, {{1}})) * static_cast<double>(factor);
  return fine.narrow(1, frame * factor, count * factor).t().contiguous();
}

double number(const Values& errors, const char* name, int64_t index = 0) {
  const auto value = find(errors, name);
  return value.defined() ? value[index].item<double>() : 0;
}

}  // namespace

struct FinePlanes::Plane {
  std::shared_ptr<const DiffractiveLayerImpl> layer;
  DiffractiveLayerOptions of_a_pixel = DiffractiveLayerOptions({1, 1});  // the layer's, a sample a pixel
  Values errors, of_pixels;                                              // all; those of the modulator
  torch::Tensor pixel, weight;    // of every point where the mask is made: number of its pixel, amplitude
  torch::Tensor still, transfer;  // tilt and vignetting of every sample; of the hop
  Values commanded, shown;        // shown: with the crosstalk of pixels
  torch::Tensor mask;             // of every sample
};

FinePlanes::FinePlanes(const std::vector<std::shared_ptr<const DiffractiveLayerImpl>>& planes,
                       const Imperfections& imperfections, int64_t seed, const FinePlanesOptions& options)
    : PhysicalSystem(designs_of(planes), options.monitors()),
      imperfections_(imperfections),
      seed_(seed),
      options_(options) {
  const auto check = [](const char* name, double value, double least, double most) {
    OPTOTORCH_CHECK(value >= least && value <= most, .where = in_fine_planes, .argument = name,
                    .expected = c10::str(least, " to ", most), .got = c10::str(value));
  };
  check("oversampling", static_cast<double>(options.oversampling()), 2, 8);
  check("fill_factor", options.fill_factor(), 0.01, 1);
  check("crosstalk", options.crosstalk(), 0, 0.2);
  check("reflection", options.reflection(), 0, 1);
  check("vignetting", options.vignetting(), 0, 1);
  for (size_t n = 0; n < planes.size(); ++n) {
    const auto& own = planes[n]->options;
    OPTOTORCH_CHECK(own.hop().wavelengths().size() == 1 && own.window() == own.window_behind() &&
                        own.oversampling() == planes.front()->options.oversampling(),
                    .where = in_fine_planes, .argument = "planes",
                    .expected =
                        "planes of one wavelength, with the same window behind them, of as many samples a "
                        "pixel as the first",
                    .got = describe(planes[n]->design()));
    OPTOTORCH_CHECK(
        options.oversampling() % own.oversampling() == 0 && options.oversampling() >= 2 * own.oversampling(),
        .where = in_fine_planes, .argument = "oversampling",
        .expected = c10::str("twice or more times the planes' own, ", own.oversampling()),
        .got = std::to_string(options.oversampling()));
    auto plane = std::make_shared<Plane>();
    plane->layer = planes[n];
    plane->of_a_pixel = DiffractiveLayerOptions(own).oversampling(1).fill_factor(1);
    // Planes share no draw: their seeds are apart as those of chips in a row.
    plane->errors = built(*planes[n], imperfections, seed + static_cast<int64_t>(n))->errors();
    for (const auto& [name, value] : plane->errors) {
      if (name != "offset" && name != "rotation" && name != "tilt" && name != "distance") {
        plane->of_pixels[name] = value;
      }
    }
    place(*plane);
    planes_.push_back(plane);
  }
  for (const size_t axis : {0, 1}) {
    interpolation_[axis] = interpolation(planes.front()->options.window()[axis], refinement());
  }
}

int64_t FinePlanes::refinement() const {
  return options_.oversampling() / planes_.front()->layer->options.oversampling();
}

void FinePlanes::place(Plane& plane) const {
  const auto& own = plane.layer->options;
  const int64_t rows = own.pixels()[0], columns = own.pixels()[1], s = options_.oversampling();
  const double fine = 1.0 / static_cast<double>(s * supersamples);  // of a pixel
  const auto y = from_middle(rows * s * supersamples, fine).unsqueeze(1) - number(plane.errors, "offset", 0);
  const auto x =
      from_middle(columns * s * supersamples, fine).unsqueeze(0) - number(plane.errors, "offset", 1);
  const double angle = number(plane.errors, "rotation");
  const auto down = std::cos(angle) * y + std::sin(angle) * x + static_cast<double>(rows) / 2;
  const auto right = std::cos(angle) * x - std::sin(angle) * y + static_cast<double>(columns) / 2;
  const auto row = down.floor(), column = right.floor();
  // A rounded square: its distance from where its corners' circles are centred.
  const double half = std::sqrt(options_.fill_factor()) / 2, radius = half / 2;
  const auto beyond = [&](const torch::Tensor& place) {
    return ((place - .5).abs() - (half - radius)).clamp_min(0);
  };
  const auto inside = (beyond(down - row).square() + beyond(right - column).square()) <= radius * radius;
  const auto on_plane = (row >= 0) & (row < rows) & (column >= 0) & (column < columns);
  plane.weight = (inside & on_plane).to(torch::kFloat64);
  plane.pixel = (row.clamp(0, static_cast<double>(rows - 1)) * columns +
                 column.clamp(0, static_cast<double>(columns - 1)))
                    .to(torch::kInt64);

  const double spacing = own.hop().spacing() / static_cast<double>(s);
  const double wave = 2 * std::numbers::pi / own.hop().wavelengths().front() * spacing;
  const auto sample_y = from_middle(rows * s, 1).unsqueeze(1),
             sample_x = from_middle(columns * s, 1).unsqueeze(0);
  const auto tilt =
      (sample_y * number(plane.errors, "tilt", 0) + sample_x * number(plane.errors, "tilt", 1)) * wave;
  const auto square = [](const torch::Tensor& place, int64_t count) {
    return (place * (2.0 / static_cast<double>(count))).square();
  };
  const auto loss =
      1 - options_.vignetting() / 2 * (square(sample_y, rows * s) + square(sample_x, columns * s));
  plane.still = at::polar(loss, tilt);

  auto hop = own.hop().geometry(0, {rows * s, columns * s}, {rows * s, columns * s});
  hop.spacing = spacing;
  hop.propagation = Propagation::angular_spectrum;
  hop.sampling = Sampling::cropped;
  hop.distance *= std::max(0.0, 1 + number(plane.errors, "distance"));
  plane.transfer = ops::transfer_function(hop);
  if (options_.reflection() > 0) {
    hop.distance *= 3;  // to the next plane, back, and there again
    plane.transfer = plane.transfer + options_.reflection() * ops::transfer_function(hop);
  }
}

std::vector<std::string> FinePlanes::between() const {
  return std::vector<std::string>(planes_.size() - 1, optotorch::between(nullptr));
}

torch::Tensor FinePlanes::with_crosstalk(const torch::Tensor& phase) const {
  // A pixel shows phases within a turn; borders have no neighbours beyond.
  const auto shown = phase.remainder(2 * std::numbers::pi);
  const auto framed = at::pad(shown.unsqueeze(0).unsqueeze(0), {1, 1, 1, 1}, "replicate").squeeze();
  const int64_t rows = shown.size(0), columns = shown.size(1);
  const auto part = [&](int64_t i, int64_t j) { return framed.narrow(0, i, rows).narrow(1, j, columns); };
  const double c = options_.crosstalk();
  return (1 - 4 * c) * shown + c * (part(0, 1) + part(2, 1) + part(1, 0) + part(1, 2));
}

/// The mask of a plane whose pixels do this to light, sample by sample.
torch::Tensor FinePlanes::mask_of(const Plane& plane, const torch::Tensor& pixels) const {
  const auto points =
      pixels.flatten().index_select(0, plane.pixel.flatten()).view(plane.pixel.sizes()) * plane.weight;
  const int64_t s = supersamples;
  const auto means =
      points.view({points.size(0) / s, s, points.size(1) / s, s}).sum({1, 3}) / static_cast<double>(s * s);
  return means * plane.still;
}

void FinePlanes::command(const std::vector<Values>& commands) {
  for (size_t n = 0; n < planes_.size(); ++n) {
    auto& plane = *planes_[n];
    plane.commanded = plane.shown = commands[n];
    if (auto phase = find(plane.shown, "phase"); phase.defined() && options_.crosstalk() > 0) {
      plane.shown["phase"] = with_crosstalk(phase);
    }
    plane.mask = mask_of(plane, PlaneMask(plane.of_a_pixel, plane.shown, plane.of_pixels).mask());
  }
}

/// Means over each of the model's samples behind every plane that a camera stands behind.
std::vector<torch::Tensor> FinePlanes::intensities(const torch::Tensor& x,
                                                   const std::vector<torch::Tensor>& masks) const {
  std::vector<torch::Tensor> all;
  auto light = interpolation_[0].matmul(x).matmul(interpolation_[1].t());
  for (size_t n = 0; n < planes_.size(); ++n) {
    light = ops::free_space(light * masks[n], planes_[n]->transfer, light.size(2), light.size(3));
    if (has_monitors() || n + 1 == planes_.size()) {
      all.push_back(at::avg_pool2d(at::view_as_real(light).square().sum(-1), refinement()));
    }
  }
  return all;
}

std::vector<at::Tensor> FinePlanes::read(const at::Tensor& x) {
  constexpr int64_t together = 8;  // samples whose light stays in a cache
  std::vector<torch::Tensor> masks;
  for (const auto& plane : planes_) {
    masks.push_back(plane->mask);
  }
  std::vector<std::vector<torch::Tensor>> parts;
  for (const auto& some : x.to(torch::kComplexDouble).cpu().split(together)) {
    auto readings = intensities(some, masks);
    parts.resize(readings.size());
    for (size_t n = 0; n < readings.size(); ++n) {
      parts[n].push_back(readings[n]);
    }
  }
  std::vector<torch::Tensor> readings;
  for (size_t n = 0; n < parts.size(); ++n) {
    const size_t plane = planes_.size() - parts.size() + n;
    readings.push_back(noisy_readings(at::cat(parts[n]), imperfections_, seed_ + static_cast<int64_t>(plane),
                                      /*stream=*/2, measurements()));
  }
  return readings;
}

TransparentSystem::Gradients FinePlanes::pullback(const torch::Tensor& x, const torch::Tensor& dL_dreading) {
  OPTOTORCH_CHECK(planes_.front()->mask.defined(), .where = in_fine_planes, .argument = "commands",
                  .expected = "commands that were set", .got = "none");
  check_stage_input(in_fine_planes, x, stages().front());
  auto expected = stages().back().output;
  expected.insert(expected.begin(), x.size(0));
  OPTOTORCH_CHECK(dL_dreading.defined() && dL_dreading.sizes() == at::IntArrayRef(expected),
                  .where = in_fine_planes, .argument = "dL_dreading",
                  .expected = c10::str("[", c10::Join(", ", expected), "]"), .got = describe(dL_dreading));
  const at::AutoGradMode with_graph(true);
  const auto leaf = [](const torch::Tensor& value) { return value.detach().clone().requires_grad_(); };
  using torch::autograd::grad;
  torch::autograd::variable_list leaves{leaf(x.to(torch::kComplexDouble).cpu())};
  for (const auto& plane : planes_) {
    leaves.push_back(leaf(plane->mask));
  }
  const std::vector<torch::Tensor> masks(leaves.begin() + 1, leaves.end());
  const auto slopes = grad({intensities(leaves[0], masks).back()}, leaves, {dL_dreading.detach().to(wide)});
  Gradients gradients{slopes[0].to(x.options()), {}};
  for (size_t n = 0; n < planes_.size(); ++n) {
    const auto& plane = *planes_[n];
    const PlaneMask of_pixels(plane.of_a_pixel, plane.shown, plane.of_pixels);
    const auto pixels = leaf(of_pixels.mask());
    Values commands, errors;
    of_pixels.pull_back(grad({mask_of(plane, pixels)}, {pixels}, {slopes[n + 1]})[0], commands, errors);
    if (auto phase = find(commands, "phase"); phase.defined() && options_.crosstalk() > 0) {
      const auto commanded = leaf(plane.commanded.at("phase"));
      commands["phase"] = grad({with_crosstalk(commanded)}, {commanded}, {phase})[0];
    }
    gradients.commands.push_back(commands);
  }
  return gradients;
}

}  // namespace optotorch
