#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/weight_bank.h>

#include <cmath>

namespace optotorch {

WeightBankImpl::WeightBankImpl(WeightBankOptions options_) : CloneableLayer("WeightBank"), options(options_) {
  OPTOTORCH_CHECK(options.in_features() >= 1 && options.out_features() >= 1, .where = "WeightBank",
                  .argument = "in_features, out_features", .expected = "at least 1",
                  .got = c10::str(options.in_features(), ", ", options.out_features()));
  OPTOTORCH_CHECK(options.bits() >= 0 && options.bits() <= 16, .where = "WeightBank", .argument = "bits",
                  .expected = "1 to 16, or 0 for continuous weights", .got = std::to_string(options.bits()));
  OPTOTORCH_CHECK(std::isfinite(options.gain()) && options.gain() > 0, .where = "WeightBank",
                  .argument = "gain", .expected = "a positive number", .got = std::to_string(options.gain()));
  const double bound = 1 / std::sqrt(static_cast<double>(options.in_features()));
  const auto weight = torch::empty({options.out_features(), options.in_features()}).uniform_(-bound, bound);
  detuning = register_phases("detuning", torch::empty_like(weight));
  set_weight(weight);
  if (options.bias()) {
    bias = register_phases("bias", torch::empty({options.out_features()}).uniform_(-bound, bound));
  }
}

void WeightBankImpl::check_input(const torch::Tensor& x) const {
  OPTOTORCH_CHECK(x.defined() && x.is_floating_point() && x.dim() == 2 && x.size(1) == options.in_features(),
                  .where = "WeightBank", .argument = "input",
                  .expected = c10::str("real values [batch, ", options.in_features(), "]"),
                  .got = describe(x),
                  .remedy = x.defined() && x.is_complex() ? "A Photodetector turns a field into real values"
                                                          : "torch::nn::Flatten turns images into rows");
  check_precision(*this, x, detuning);
}

torch::Tensor WeightBankImpl::weight() const {
  const torch::NoGradGuard no_grad;
  // (1 - d^2) / (1 + d^2) = 2 / (1 + d^2) - 1
  auto w = (detuning.square() + 1).reciprocal_().mul_(2).sub_(1);
  if (options.bits() > 0) {
    const double steps = std::ldexp(1.0, static_cast<int>(options.bits())) - 1;
    w = ((w + 1) * (steps / 2)).round() * (2 / steps) - 1;
  }
  return w;
}

void WeightBankImpl::set_weight(const torch::Tensor& weight) {
  const torch::NoGradGuard no_grad;
  OPTOTORCH_CHECK(weight.sizes() == detuning.sizes() && weight.is_floating_point(), .where = "WeightBank",
                  .argument = "weight", .expected = describe(detuning), .got = describe(weight));
  check_finite("WeightBank", "weight", weight);
  OPTOTORCH_CHECK(weight.abs().max().item<double>() <= 1, .where = "WeightBank", .argument = "weight",
                  .expected = "values in [-1, 1]",
                  .got = c10::str("magnitude ", weight.abs().max().item<double>()),
                  .remedy = "Scale the weights down and raise the gain");
  // Exactly -1 would need an infinitely detuned ring.
  const auto w = weight.to(torch::kFloat64).clamp_min(-1 + 1e-9);
  detuning.copy_(((1 - w) / (1 + w)).sqrt());
}

torch::Tensor WeightBankImpl::compute(const torch::Tensor& x, Pass* kept) {
  return deploy().forward(x);
}

std::vector<torch::Tensor> WeightBankImpl::read_by_pullback(const Pass& pass) const {
  return {pass.input, detuning};
}

torch::Tensor WeightBankImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) {
  // dW/dd = -4 d / (1 + d^2)^2
  const auto slope = (detuning.square() + 1).square_().reciprocal_().mul_(detuning).mul_(-4 * options.gain());
  accumulate(detuning, dL_dy.t().mm(pass.input).mul_(slope));
  if (bias.defined()) {
    accumulate(bias, dL_dy.sum(0));
  }
  return to_input ? (dL_dy * options.gain()).mm(weight()) : torch::Tensor();
}

Deployment WeightBankImpl::deploy() {
  const auto scaled = weight().mul_(options.gain());
  if (!bias.defined()) {
    return {{{"weight", scaled}}, [scaled](const torch::Tensor& x) { return x.matmul(scaled.t()); }};
  }
  const auto offset = bias.detach();  // what is deployed learns no more
  return {{{"weight", scaled}, {"bias", offset}},
          [scaled, offset](const torch::Tensor& x) { return at::linear(x, scaled, offset); }};
}

namespace {

const RegisteredPart registered(part_type<WeightBankImpl>("WeightBank", WeightBankOptions(1, 1), 2));

}  // namespace
}  // namespace optotorch
