#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/corrections/white_box_correction.h>
#include <optotorch/modules/optics/mzi_mesh.h>

namespace optotorch {

WhiteBoxCorrectionOptions::WhiteBoxCorrectionOptions(const Stage& stage)
    : design_(stage.design()), errors_(stage.errors()) {}

WhiteBoxCorrectionOptions::WhiteBoxCorrectionOptions(const MeshLayout& layout) {
  layout.check("WhiteBoxCorrection");
  design_ = mesh_design(layout);
  errors_ = mesh_errors(layout);
}

WhiteBoxCorrection::WhiteBoxCorrection(const WhiteBoxCorrectionOptions& options)
    : Correction("WhiteBoxCorrection"), design_(options.design()) {
  for (const auto& kind : options.errors()) {
    if (options.splitters() || kind.name != "splitter_error") {
      kinds_.push_back(kind);
      register_real(kind.name, torch::zeros(kind.shape));
    }
  }
}

void WhiteBoxCorrection::constrain() {
  const torch::NoGradGuard no_grad;
  for (const auto& kind : kinds_) {
    if (std::isfinite(kind.least) || std::isfinite(kind.most)) {
      error(kind.name).clamp_(kind.least / kind.unit, kind.most / kind.unit);
    }
  }
}

void WhiteBoxCorrection::set_errors(const Values& errors) {
  const torch::NoGradGuard no_grad;
  for (const auto& kind : kinds_) {
    if (const auto value = find(errors, kind.name); value.defined()) {
      error(kind.name).copy_(value / kind.unit);
    }
  }
}

torch::Tensor WhiteBoxCorrection::error(const std::string& name) const {
  const auto parameters = named_parameters(/*recurse=*/false);
  const auto* const found = parameters.find(name);
  return found == nullptr ? torch::Tensor() : *found;
}

Values WhiteBoxCorrection::errors_at(double strength) const {
  Values errors;
  for (const auto& kind : kinds_) {
    errors[kind.name] = strength * kind.unit * error(kind.name).detach();
  }
  return errors;
}

Prediction WhiteBoxCorrection::compute(const Stage& stage, const torch::Tensor& x, double strength) {
  OPTOTORCH_CHECK(stage.design() == design_, .where = "WhiteBoxCorrection", .argument = "mesh",
                  .expected = "the stage of the correction, " + describe(design_),
                  .got = describe(stage.design()));
  return {x, {}, stage.respond(x, stage.commands(), errors_at(strength)), strength};
}

torch::Tensor WhiteBoxCorrection::compute_pullback(Stage& stage, const Prediction& prediction,
                                                   const torch::Tensor& dL_ds, Learns learns, bool to_input) {
  const double c = prediction.strength;
  const auto g = stage.respond_backward(
      dL_ds, prediction.x, prediction.s, stage.commands(), errors_at(c),
      {.input = to_input, .commands = learns == Learns::stage, .errors = learns == Learns::correction});
  if (learns == Learns::stage) {
    stage.accumulate_commands(g.commands);
  } else if (learns == Learns::correction) {
    for (const auto& kind : kinds_) {
      auto parameter = error(kind.name);
      Layer::accumulate(parameter, c * kind.unit * g.errors.at(kind.name));
    }
  }
  return to_input ? g.dL_dx : torch::Tensor();
}

}  // namespace optotorch
