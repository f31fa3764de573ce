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

StageDesign WeightBankImpl::make_design() const {
  const std::vector<int64_t> in{options.in_features()}, out{options.out_features()};
  StageDesign design{.type = "WeightBank",
                     .options = describe_options(*this),
                     .input = in,
                     .output = out,
                     .takes_field = false,
                     .delivers_field = false,
                     .commands = {{"detuning", {detuning.sizes().vec()}}}};
  if (options.bias()) {
    design.commands["bias"] = {out};
  }
  return design;
}

std::vector<StageError> WeightBankImpl::errors() const {
  const auto shape = detuning.sizes().vec();
  const double nepers_per_decibel = std::log(10.0) / 10;
  const auto passed = at::arange(options.in_features(), at::kDouble).mul_(nepers_per_decibel);
  return {{"resonance", shape, "resonance_error"},
          {"attenuation", shape, "loss_db", passed.expand(shape), /*least=*/0}};
}

torch::Tensor WeightBankImpl::set(const torch::Tensor& commanded) const {
  if (options.bits() == 0) {
    return commanded;
  }
  const double steps = std::ldexp(1.0, static_cast<int>(options.bits())) - 1;
  const auto w = (commanded.square() + 1).reciprocal_().mul_(2).sub_(1);
  const auto nearest = (((w + 1) * (steps / 2)).round() * (2 / steps) - 1).clamp_min(-1 + 1e-6);
  return ((1 - nearest) / (1 + nearest)).sqrt();
}

torch::Tensor WeightBankImpl::respond(const torch::Tensor& x, const Values& commands,
                                      const Values& errors) const {
  const auto d = plus(set(commands.at("detuning")), errors, "resonance");
  auto w = (d.square() + 1).reciprocal_().mul_(2).sub_(1);
  if (const auto attenuation = find(errors, "attenuation"); attenuation.defined()) {
    w = w * attenuation.neg().exp();
  }
  const auto y = x.mm(w.t()).mul_(options.gain());
  const auto offset = find(commands, "bias");
  return offset.defined() ? y + offset : y;
}

Stage::Gradients WeightBankImpl::respond_backward(const torch::Tensor& dL_dy, const torch::Tensor& x,
                                                  const torch::Tensor& /*y*/, const Values& commands,
                                                  const Values& errors, const Wanted& wanted) const {
  const auto d = plus(set(commands.at("detuning")), errors, "resonance");
  const auto attenuation = find(errors, "attenuation");
  const auto passed = attenuation.defined() ? attenuation.neg().exp() : torch::ones_like(d);
  const auto narrow = (d.square() + 1).reciprocal();  // 1 / (1 + d^2)
  const auto w = (2 * narrow - 1) * passed;
  const auto dL_dw = dL_dy.t().mm(x).mul_(options.gain());
  const auto dL_dd = dL_dw * passed * (-4) * d * narrow.square();
  Gradients gradients{.dL_dx = wanted.input ? dL_dy.mm(w).mul_(options.gain()) : torch::Tensor(),
                      .commands = {{"detuning", dL_dd}},
                      .errors = {{"resonance", dL_dd}, {"attenuation", -dL_dw * w}}};
  if (find(commands, "bias").defined()) {
    gradients.commands["bias"] = dL_dy.sum(0);
  }
  return gradients;
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
    return {{{"weight", scaled}}, [scaled](const torch::Tensor& x) { return x.matmul(scaled.t()); }, scaled};
  }
  const auto offset = bias.detach();  // what is deployed learns no more
  return {{{"weight", scaled}, {"bias", offset}},
          [scaled, offset](const torch::Tensor& x) { return at::linear(x, scaled, offset); },
          scaled,
          offset};
}

namespace {

const RegisteredPart weight_bank_type(part_type<WeightBankImpl>("WeightBank", WeightBankOptions(1, 1), 2));

}  // namespace
}  // namespace optotorch
