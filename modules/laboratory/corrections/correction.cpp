#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/corrections/correction.h>

namespace optotorch {

Prediction Correction::predict(const Stage& stage, const torch::Tensor& x, double strength) {
  const torch::NoGradGuard no_grad;
  OPTOTORCH_CHECK(strength >= 0 && strength <= 1, .where = name(), .argument = "strength",
                  .expected = "0 to 1", .got = c10::str(strength));
  check_stage_input(name(), x, stage.design());
  for (const auto& [name, command] : stage.commands()) {
    check_precision(*this, x, command);
  }
  for (const auto& parameter : parameters()) {
    check_precision(*this, x, parameter);
  }
  return compute(stage, x, strength);
}

torch::Tensor Correction::pullback(Stage& stage, const Prediction& prediction, const torch::Tensor& dL_ds,
                                   Learns learns, bool to_input) {
  const torch::NoGradGuard no_grad;
  OPTOTORCH_CHECK(dL_ds.scalar_type() == prediction.s.scalar_type() && dL_ds.sizes() == prediction.s.sizes(),
                  .where = name(), .argument = "dL_ds", .expected = describe(prediction.s),
                  .got = describe(dL_ds));
  const auto dL_dx = compute_pullback(stage, prediction, dL_ds, learns, to_input);
  return to_input ? dL_dx : torch::Tensor();
}

torch::Tensor& Correction::register_real(const std::string& name, torch::Tensor tensor) {
  return register_parameter(name, std::move(tensor));
}

Prediction CorrectionBehind::compute(const Stage& stage, const torch::Tensor& x, double strength) {
  const auto u = stage.respond(x, stage.commands(), {});
  return {x, u, strength == 0 ? u : u + strength * difference(u), strength};
}

torch::Tensor CorrectionBehind::compute_pullback(Stage& stage, const Prediction& prediction,
                                                 const torch::Tensor& dL_ds, Learns learns, bool to_input) {
  const auto& [x, u, s, strength] = prediction;
  const bool through_stage = to_input || learns == Learns::stage;
  auto dL_du = dL_ds;
  if (strength != 0) {
    const auto pulled =
        pull_difference(u, strength * dL_ds, learns == Learns::correction, /*to_u=*/through_stage);
    dL_du = through_stage ? dL_ds + pulled : torch::Tensor();
  }
  if (!through_stage) {
    return {};
  }
  if (learns == Learns::stage) {
    return stage.pullback({x, u}, dL_du, to_input);
  }
  return stage.respond_backward(dL_du, x, u, stage.commands(), {}, {.commands = false, .errors = false})
      .dL_dx;
}

}  // namespace optotorch
