#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/optics/detail/reading_noise.h>
#include <optotorch/modules/optics/discrete_readout.h>
#include <optotorch/modules/optics/hop_options.h>

#include <cmath>

namespace optotorch {

DiscreteReadout::DiscreteReadout(const std::string& name, DiscreteReadoutOptions options_, double centre,
                                 double reach)
    : Layer(name), options(options_) {
  const int64_t in = options.in_features(), out = options.out_features();
  OPTOTORCH_CHECK(in >= 1 && out >= 1, .where = name, .argument = "in_features, out_features",
                  .expected = "at least 1", .got = c10::str(in, ", ", out));
  OPTOTORCH_CHECK(std::isfinite(options.noise()) && options.noise() >= 0, .where = name, .argument = "noise",
                  .expected = "a number of at least 0", .got = c10::str(options.noise()));
  weight = register_phases("weight", torch::empty({out, in}).uniform_(centre - reach, centre + reach));
  gain = register_phases("gain", torch::full({out}, 1 / std::sqrt(static_cast<double>(in))));
  bias = register_phases("bias", torch::zeros({out}));
  readings = register_buffer("readings", torch::zeros({}, torch::kInt64));
}

torch::Tensor DiscreteReadout::discrete_weight() const {
  const torch::NoGradGuard no_grad;
  const auto on = (weight > 0.5).to(weight.scalar_type());
  return least() < 0 ? on - (weight < -0.5).to(weight.scalar_type()) : on;
}

Footprint DiscreteReadout::footprint() const {
  return {{parts::pixels, options.in_features()}, {parts::detectors, 1}};
}

Traversal DiscreteReadout::traversal(const Pass& pass) const {
  auto way = Layer::traversal(pass);
  way.passes = options.out_features() * exposures();  // masks before one detector
  way.multiply_adds = options.in_features() * options.out_features();
  return way;
}

void DiscreteReadout::check_input(const torch::Tensor& x) const {
  OPTOTORCH_CHECK(x.defined() && x.is_floating_point() && x.dim() == 2 && x.size(1) == options.in_features(),
                  .where = name(), .argument = "input",
                  .expected = c10::str("real values [batch, ", options.in_features(), "]"),
                  .got = describe(x),
                  .remedy = x.defined() && x.is_complex() ? "A Photodetector turns a field into real values"
                                                          : "torch::nn::Flatten turns images into rows");
  check_precision(*this, x, weight);
}

torch::Tensor DiscreteReadout::compute(const torch::Tensor& x, Pass* kept) {
  const auto w = discrete_weight();
  auto reading = x.matmul(w.t());
  if (is_training() && options.noise() > 0) {
    const int64_t number = readings.item<int64_t>();
    readings.add_(1);
    auto variance = x.matmul(w.clamp_min(0).t()).var(0, /*unbiased=*/false);
    if (exposures() == 2) {
      variance = variance + x.matmul(w.clamp_max(0).t()).var(0, /*unbiased=*/false);
    }
    const auto xi = reading_noise(options.seed(), number, reading.numel());
    reading += xi.view({reading.size(1), -1}).t().to(x.scalar_type()) * (variance.sqrt() * options.noise());
  }
  if (kept != nullptr) {
    kept->saved = {reading};
  }
  return reading * gain + bias;
}

std::vector<torch::Tensor> DiscreteReadout::read_by_pullback(const Pass& pass) const {
  auto tensors = saved_tensors(pass);
  tensors.insert(tensors.end(), {pass.input, weight, gain});
  return tensors;
}

torch::Tensor DiscreteReadout::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) {
  const auto dL_dreading = dL_dy * gain;
  accumulate(weight, dL_dreading.t().mm(pass.input));
  accumulate(gain, (dL_dy * pass.saved[0]).sum(0));
  accumulate(bias, dL_dy.sum(0));
  return to_input ? dL_dreading.mm(discrete_weight()) : torch::Tensor();
}

Deployment DiscreteReadout::deploy() {
  const torch::NoGradGuard no_grad;
  const auto scaled = discrete_weight().mul_(gain.unsqueeze(1));
  const auto offset = bias.detach().clone();
  return {{{"weight", scaled}, {"bias", offset}},
          [scaled, offset](const torch::Tensor& x) { return at::linear(x, scaled, offset); },
          scaled,
          offset};
}

}  // namespace optotorch
