#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/layer.h>
#include <optotorch/modules/tap.h>

#include <algorithm>

namespace optotorch {

void check_field(const torch::nn::Module& module, const torch::Tensor& x, int64_t ports) {
  OPTOTORCH_CHECK(x.defined() && x.is_complex() && x.dim() == 2 && x.size(1) == ports, .where = module.name(),
                  .argument = "input", .expected = c10::str("a complex field [batch, ", ports, "]"),
                  .got = describe(x),
                  .remedy = x.defined() && !x.is_complex() ? "A Modulator turns real values into a field"
                                                           : "Match the ports of the layer before it");
}

void check_field(const torch::nn::Module& module, const torch::Tensor& x, at::IntArrayRef sample) {
  const auto own = static_cast<int64_t>(sample.size());
  OPTOTORCH_CHECK(x.defined() && x.is_complex() && x.dim() > own && x.sizes().slice(x.dim() - own) == sample,
                  .where = module.name(), .argument = "input",
                  .expected = c10::str("a complex field [batch, ", c10::Join(", ", sample), "]"),
                  .got = describe(x),
                  .remedy = x.defined() && !x.is_complex() ? "A Modulator turns real values into a field"
                                                           : "Match the shape of the layer before it");
}

void check_shape(const torch::nn::Module& module, at::IntArrayRef sample) {
  constexpr int64_t most = int64_t{1} << 40;
  int64_t elements = sample.empty() ? 0 : 1;
  for (const auto size : sample) {
    elements = size >= 1 && size <= most / std::max<int64_t>(elements, 1) ? elements * size : 0;
  }
  OPTOTORCH_CHECK(elements >= 1, .where = module.name(), .argument = "shape",
                  .expected = "sizes of at least 1, of 2^40 elements at most",
                  .got = c10::str("[", c10::Join(", ", sample), "]"));
}

void check_field(const torch::nn::Module& module, const torch::Tensor& x) {
  OPTOTORCH_CHECK(x.defined() && x.is_complex(), .where = module.name(), .argument = "input",
                  .expected = "a complex field", .got = describe(x),
                  .remedy = "A Modulator turns real values into a field");
}

void check_precision(const torch::nn::Module& module, const torch::Tensor& x,
                     const torch::Tensor& parameter) {
  OPTOTORCH_CHECK(!parameter.is_complex(), .where = module.name(), .argument = "parameters",
                  .expected = "real numbers, as phases are", .got = type_name(parameter.scalar_type()),
                  .remedy =
                      "Convert the module back: module->to(torch::kFloat64) is for fields of complex128, "
                      "module->to(torch::kFloat32) for those of complex64");
  const auto real = c10::toRealValueType(x.scalar_type());
  OPTOTORCH_CHECK(real == parameter.scalar_type(), .where = module.name(), .argument = "input",
                  .expected = "the precision of the parameters, " + type_name(parameter.scalar_type()),
                  .got = describe(x), .remedy = "Convert one: module->to(torch::kFloat64), or the input");
}

void check_no_graph(const torch::nn::Module& module, const torch::Tensor& x) {
  if (!torch::GradMode::is_enabled()) {
    return;
  }
  const bool cuts = x.defined() && x.requires_grad();
  // A Hybrid runs its modules with gradients so that they learn: a layer called in one would not.
  OPTOTORCH_CHECK(!cuts && !(TapScope::is_recording() && is_trainable(module)), .where = module.name(),
                  .argument = cuts ? "input" : "forward",
                  .expected = cuts ? "one that requires no grad, as a layer builds no graph"
                                   : "a call outside of a module that learns by autograd",
                  .got = cuts ? describe(x) + " that requires grad" : "one inside",
                  .remedy =
                      "Write differentiable(layer), which is a node of the graph; to evaluate, take a "
                      "torch::NoGradGuard");
}

}  // namespace optotorch
