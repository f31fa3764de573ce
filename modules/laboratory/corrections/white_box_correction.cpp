#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/corrections/white_box_correction.h>

namespace optotorch {

WhiteBoxCorrection::WhiteBoxCorrection(const WhiteBoxCorrectionOptions& options)
    : Correction("WhiteBoxCorrection"), layout_(options.layout()) {
  layout_.check("WhiteBoxCorrection");
  const int64_t mzis = layout_.mzis();
  theta_offset = register_real("theta_offset", torch::zeros({mzis}));
  phi_offset = register_real("phi_offset", torch::zeros({mzis}));
  if (options.splitters()) {
    splitter_error = register_real("splitter_error", torch::zeros({mzis, 2}));
  }
}

void WhiteBoxCorrection::constrain() {
  const torch::NoGradGuard no_grad;
  if (splitter_error.defined()) {
    splitter_error.clamp_(-0.5, 0.5);
  }
}

ops::MeshTensors WhiteBoxCorrection::corrected(const MziMeshImpl& mesh, double strength) const {
  OPTOTORCH_CHECK(mesh.layout() == layout_, .where = "WhiteBoxCorrection", .argument = "mesh",
                  .expected = c10::str("the layout of the correction, ", layout_.mzis(), " MZIs"),
                  .got = c10::str("one of ", mesh.layout().mzis(), " MZIs"));
  auto tensors = mesh.tensors();
  tensors.theta = tensors.theta + strength * theta_offset;
  tensors.phi = tensors.phi + strength * phi_offset;
  if (splitter_error.defined()) {
    tensors.splitter_error = strength * splitter_error;
  }
  return tensors;
}

Prediction WhiteBoxCorrection::compute(const MziMeshImpl& mesh, const torch::Tensor& x, double strength) {
  return {x, {}, ops::mzi_mesh(x, corrected(mesh, strength), layout_), strength};
}

torch::Tensor WhiteBoxCorrection::compute_pullback(MziMeshImpl& mesh, const Prediction& prediction,
                                                   const torch::Tensor& dL_ds, Learns learns, bool to_input) {
  const double c = prediction.strength;
  const auto g = ops::mzi_mesh_backward(dL_ds, prediction.x, prediction.s, corrected(mesh, c), layout_);
  if (learns == Learns::mesh) {
    Layer::accumulate(mesh.theta, g.dL_dtheta);
    Layer::accumulate(mesh.phi, g.dL_dphi);
    if (mesh.gamma.defined()) {
      Layer::accumulate(mesh.gamma, g.dL_dscreen);
    }
  } else if (learns == Learns::correction) {
    Layer::accumulate(theta_offset, c * g.dL_dtheta);
    Layer::accumulate(phi_offset, c * g.dL_dphi);
    if (splitter_error.defined()) {
      Layer::accumulate(splitter_error, c * g.dL_dsplitter_error);
    }
  }
  return to_input ? g.dL_dinput : torch::Tensor();
}

}  // namespace optotorch
