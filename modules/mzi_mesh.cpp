#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/decomposition.h>
#include <optotorch/modules/haar.h>
#include <optotorch/modules/mzi_mesh.h>

#include <ostream>

namespace optotorch {

MeshLayout MziMeshOptions::layout() const {
  const int64_t depth = columns_ > 0 ? columns_ : MeshLayout::universal_columns(grid_, ports_);
  return {grid_, ports_, depth, phi_arm_, zero_state_, idle_port_};
}

MziMeshImpl::MziMeshImpl(MziMeshOptions options_) : CloneableLayer("MziMesh"), options(options_) {
  layout_ = options.layout();
  layout_.check("MziMesh");
  const auto phases = haar_phases(layout_);
  const auto type = c10::typeMetaToScalarType(torch::get_default_dtype());
  theta = register_phases("theta", phases.theta.to(type));
  phi = register_phases("phi", phases.phi.to(type));
  if (options.screen()) {
    gamma = register_phases("gamma", phases.screen.to(type));
  }
  if (options.imperfect()) {
    splitter_error = register_buffer("splitter_error", torch::zeros({layout_.mzis(), 2}, type));
    transmission = register_buffer("transmission", torch::ones({layout_.mzis(), 2}, type));
  }
}

ops::MeshTensors MziMeshImpl::tensors() const {
  const auto present = [](const torch::Tensor& tensor) {
    return tensor.defined() ? std::optional<torch::Tensor>(tensor) : std::nullopt;
  };
  return {theta, phi, present(gamma), present(splitter_error), present(transmission)};
}

void MziMeshImpl::check_input(const torch::Tensor& x) const {
  check_field(*this, x, layout_.ports);
  check_precision(*this, x, theta);
}

torch::Tensor MziMeshImpl::compute(const torch::Tensor& x, std::vector<torch::Tensor>* saved) {
  return ops::mzi_mesh(x, tensors(), layout_);
}

torch::Tensor MziMeshImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) {
  const auto gradients = ops::mzi_mesh_backward(dL_dy, pass.input, pass.output, tensors(), layout_);
  accumulate(theta, gradients.dL_dtheta);
  accumulate(phi, gradients.dL_dphi);
  if (gamma.defined()) {
    accumulate(gamma, gradients.dL_dscreen);
  }
  return gradients.dL_dinput;
}

torch::Tensor MziMeshImpl::matrix() const {
  const torch::NoGradGuard no_grad;
  const auto identity =
      torch::eye(layout_.ports, theta.options().dtype(c10::toComplexType(theta.scalar_type())));
  return ops::mzi_mesh(identity, tensors(), layout_).t();
}

void MziMeshImpl::set_matrix(const torch::Tensor& unitary) {
  const torch::NoGradGuard no_grad;
  OPTOTORCH_CHECK(gamma.defined(), .where = "MziMesh", .argument = "unitary",
                  .expected = "a mesh with a phase screen", .got = "one without",
                  .remedy = "Make it with MziMeshOptions::screen(true)");
  const auto phases = decompose(unitary, layout_);
  theta.copy_(phases.theta);
  phi.copy_(phases.phi);
  gamma.copy_(phases.screen);
}

Adjoint MziMeshImpl::adjoint(const torch::Tensor& /*x*/) const {
  const auto conjugate = matrix().conj().resolve_conj().contiguous();
  return {{conjugate}, [conjugate](const torch::Tensor& u) { return u.matmul(conjugate); }};
}

Deployment MziMeshImpl::deploy() {
  const auto transposed = matrix().t().contiguous();
  return {{{"matrix_transposed", transposed}},
          [transposed](const torch::Tensor& x) { return x.matmul(transposed); }};
}

void MziMeshImpl::pretty_print(std::ostream& stream) const {
  stream << "optotorch::MziMesh(ports=" << layout_.ports << ", columns=" << layout_.columns
         << ", grid=" << to_string(layout_.grid) << ", mzis=" << layout_.mzis()
         << ", phi_arm=" << to_string(layout_.phi_arm) << ", zero_state=" << to_string(layout_.zero_state)
         << (options.screen() ? ", screen" : "") << (options.imperfect() ? ", imperfect" : "") << ")";
}

}  // namespace optotorch
