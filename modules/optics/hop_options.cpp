#include <ATen/ATen.h>
#include <c10/util/irange.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/layer.h>
#include <optotorch/modules/optics/hop_options.h>
#include <optotorch/ops/free_space.h>
#include <optotorch/ops/separable_hop.h>

#include <algorithm>
#include <list>
#include <mutex>
#include <tuple>

namespace optotorch {
namespace {

using Key = std::tuple<double, double, double, double, std::array<int64_t, 2>, std::array<int64_t, 2>,
                       Propagation, Sampling, int64_t, at::ScalarType, c10::Device>;

using Made = std::array<at::Tensor, 2>;

/// What `make` made of a hop before, or makes now. The last ones are kept, of each `make` its own.
template <Made (*make)(const ops::HopGeometry&)>
Made remembered(const ops::HopGeometry& hop, at::ScalarType type, c10::Device device) {
  constexpr size_t most = 16;
  static std::mutex mutex;
  static std::list<std::pair<Key, Made>> known;
  const Key key{hop.wavelength, hop.distance, hop.spacing,     hop.refractive_index,
                hop.input,      hop.output,   hop.propagation, hop.sampling,
                hop.padding,    type,         device};
  const std::lock_guard lock(mutex);
  const auto found =
      std::find_if(known.begin(), known.end(), [&](const auto& one) { return one.first == key; });
  if (found != known.end()) {
    known.splice(known.begin(), known, found);
  } else {
    const c10::InferenceMode ordinary(false);  // others meet what is kept outside of it
    const torch::NoGradGuard no_grad;
    auto made = make(hop);
    for (auto& tensor : made) {
      tensor = tensor.defined() ? tensor.to(device, type) : tensor;
    }
    known.emplace_front(key, made);
    if (known.size() > most) {
      known.pop_back();
    }
  }
  return known.front().second;
}

Made transfer_function(const ops::HopGeometry& hop) {
  return {ops::transfer_function(hop), {}};
}

/// One for all planes, or one for each.
at::Tensor of_planes(const std::vector<at::Tensor>& each) {
  return each.size() == 1 ? each.front() : at::stack(each);
}

}  // namespace

void HopOptions::check(const std::string& where, const std::vector<int64_t>& input,
                       const std::vector<int64_t>& output) const {
  OPTOTORCH_CHECK(!wavelengths_.empty(), .where = where, .argument = "wavelengths", .expected = "one or more",
                  .got = "none");
  check_window(where, "window", input);
  check_window(where, "output", output);
  for (const auto n : c10::irange(wavelengths_.size())) {
    geometry(n, input, output).check(where);
  }
}

bool HopOptions::samples_evanescent_waves() const {
  return std::any_of(wavelengths_.begin(), wavelengths_.end(), [&](double wavelength) {
    return ops::HopGeometry{
        .wavelength = wavelength, .spacing = spacing_, .refractive_index = refractive_index_}
        .samples_evanescent_waves();
  });
}

ops::HopGeometry HopOptions::geometry(size_t wavelength, const std::vector<int64_t>& input,
                                      const std::vector<int64_t>& output) const {
  return {.wavelength = wavelengths_.at(wavelength),
          .distance = distance_,
          .spacing = spacing_,
          .refractive_index = refractive_index_,
          .input = {input.at(0), input.at(1)},
          .output = {output.at(0), output.at(1)},
          .propagation = propagation_,
          .sampling = sampling_,
          .padding = padding_};
}

torch::Tensor HopOptions::transfer(const std::vector<int64_t>& input, const std::vector<int64_t>& output,
                                   const torch::TensorOptions& field) const {
  const auto type = c10::typeMetaToScalarType(field.dtype());
  std::vector<at::Tensor> each;
  for (const auto n : c10::irange(wavelengths_.size())) {
    each.push_back(remembered<transfer_function>(geometry(n, input, output), type, field.device())[0]);
  }
  return of_planes(each);
}

bool HopOptions::is_by_matrices(const std::vector<int64_t>& input, const std::vector<int64_t>& output) const {
  // Samples a side where both ways take about as long, for matrices that are the same turned by half a circle.
  const bool are_even = (input.at(0) - output.at(0)) % 2 == 0 && (input.at(1) - output.at(1)) % 2 == 0;
  const int64_t most = are_even ? 448 : 192;
  // Products of lower precision would round the light.
  const bool are_exact = at::globalContext().float32MatmulPrecision() == at::Float32MatmulPrecision::HIGHEST;
  return propagation_ == Propagation::fresnel && sampling_ == Sampling::cropped && are_exact &&
         std::max({input.at(0), input.at(1), output.at(0), output.at(1)}) <= most;
}

std::array<torch::Tensor, 2> HopOptions::matrices(const std::vector<int64_t>& input,
                                                  const std::vector<int64_t>& output,
                                                  const torch::TensorOptions& field) const {
  const auto type = c10::typeMetaToScalarType(field.dtype());
  std::array<std::vector<at::Tensor>, 2> each;
  for (const auto n : c10::irange(wavelengths_.size())) {
    const auto sides = remembered<ops::hop_matrices>(geometry(n, input, output), type, field.device());
    each[0].push_back(sides[0]);
    each[1].push_back(sides[1]);
  }
  return {of_planes(each[0]), of_planes(each[1])};
}

torch::Tensor HopOptions::carry(const torch::Tensor& x, const std::vector<int64_t>& input,
                                const std::vector<int64_t>& output) const {
  if (is_by_matrices(input, output)) {
    const auto [down, across] = matrices(input, output, x.options());
    return ops::separable_hop(x, down, across);
  }
  return ops::free_space(x, transfer(input, output, x.options()), output.at(0), output.at(1));
}

torch::Tensor HopOptions::carry_back(const torch::Tensor& dL_dy, const std::vector<int64_t>& input,
                                     const std::vector<int64_t>& output) const {
  if (is_by_matrices(input, output)) {
    const auto [down, across] = matrices(input, output, dL_dy.options());
    return ops::separable_hop(dL_dy, down.mH(), across.mH());
  }
  return ops::free_space(dL_dy, transfer(input, output, dL_dy.options()).conj(), input.at(0), input.at(1));
}

Deployment HopOptions::deploy(const std::vector<int64_t>& input, const std::vector<int64_t>& output,
                              const torch::TensorOptions& field) const {
  if (is_by_matrices(input, output)) {
    const auto [down, across] = matrices(input, output, field);
    return {{{"down", down}, {"across", across}}, [down = down, across = across](const torch::Tensor& x) {
              return ops::separable_hop_reference(x, down.type_as(x), across.type_as(x));
            }};
  }
  const auto transfer = this->transfer(input, output, field);
  return {{{"transfer", transfer}}, [transfer, output](const torch::Tensor& x) {
            return ops::free_space_reference(x, transfer.type_as(x), output.at(0), output.at(1));
          }};
}

void check_window(const std::string& where, const std::string& argument, const std::vector<int64_t>& window) {
  constexpr int64_t most = 1 << 14;
  OPTOTORCH_CHECK(
      window.size() == 2 && std::min(window[0], window[1]) >= 1 && std::max(window[0], window[1]) <= most,
      .where = where, .argument = argument, .expected = c10::str("rows and columns, 1 to ", most, " each"),
      .got = c10::str("[", c10::Join(", ", window), "]"));
}

void check_sampling(const std::string& where, int64_t oversampling, double fill_factor) {
  OPTOTORCH_CHECK(oversampling >= 1 && oversampling <= 16, .where = where, .argument = "oversampling",
                  .expected = "1 to 16", .got = std::to_string(oversampling));
  OPTOTORCH_CHECK(fill_factor > 0 && fill_factor <= 1, .where = where, .argument = "fill_factor",
                  .expected = "above 0, up to 1", .got = c10::str(fill_factor));
}

void check_planes(const torch::nn::Module& module, const torch::Tensor& x, const std::vector<int64_t>& window,
                  const std::vector<double>& wavelengths) {
  const auto planes = static_cast<int64_t>(wavelengths.size());
  const std::string wanted = planes > 1 ? std::to_string(planes) : "planes";
  OPTOTORCH_CHECK(
      x.defined() && x.is_complex() && x.dim() == 4 && x.sizes().slice(2) == at::IntArrayRef(window) &&
          (planes == 1 || x.size(1) == planes),
      .where = module.name(), .argument = "input",
      .expected = c10::str("a complex field [batch, ", wanted, ", ", window[0], ", ", window[1], "]"),
      .got = describe(x),
      .remedy = x.defined() && !x.is_complex() ? "A SpatialLightModulator turns images into a field"
                : planes > 1 && x.defined() && x.dim() == 4 ? "One plane for each wavelength"
                                                            : "Match the window of the layer before it");
}

}  // namespace optotorch
