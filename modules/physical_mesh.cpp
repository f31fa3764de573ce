#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/physical_mesh.h>

#include <ostream>

namespace optotorch {
namespace {

std::string describe_layout(const MeshLayout& layout) {
  return c10::str(to_string(layout.grid), ", ", layout.ports, " ports, ", layout.columns,
                  " columns, phi on the ", to_string(layout.phi_arm), " arm, ", to_string(layout.zero_state),
                  " at zero, idle ports: ", to_string(layout.idle_port));
}

void check_layout(const char* argument, const MeshLayout& got, const MeshLayout& expected) {
  OPTOTORCH_CHECK(got == expected, .where = "PhysicalMesh", .argument = argument,
                  .expected = describe_layout(expected), .got = describe_layout(got),
                  .remedy = "convert() in modules/decomposition.h moves phases to another layout");
}

}  // namespace

PhysicalMeshImpl::PhysicalMeshImpl(std::shared_ptr<PhysicalSystem> system, PhysicalMeshOptions options_)
    : CloneableLayer("PhysicalMesh"), options(options_), system_(std::move(system)) {
  OPTOTORCH_CHECK(system_ != nullptr, .where = "PhysicalMesh", .argument = "system",
                  .expected = "a physical system", .got = "none",
                  .remedy = "std::make_shared<SimulatedSystem>(chip) is one");
  OPTOTORCH_CHECK(!options.mesh().imperfect(), .where = "PhysicalMesh", .argument = "mesh",
                  .expected = "an error-free numerical model", .got = "imperfect(true)",
                  .remedy = "Errors belong to the system");
  OPTOTORCH_CHECK(options.detection() == Detection::amplitude || options.detection() == Detection::intensity,
                  .where = "PhysicalMesh", .argument = "detection", .expected = "amplitude or intensity",
                  .got = to_string(options.detection()), .remedy = "");
  check_layout("system", system_->layout(), options.mesh().layout());
  model_ = MziMesh(options.mesh());
  // The very tensors of the model, under the names that a mesh gives them: `to`, `load` and optimisers, which
  // all write in place, reach both.
  theta = register_phases("theta", model_->theta);
  phi = register_phases("phi", model_->phi);
  if (model_->gamma.defined()) {
    gamma = register_phases("gamma", model_->gamma);
  }
}

void PhysicalMeshImpl::check_input(const torch::Tensor& x) const {
  check_field(*this, x, system_->ports());
  check_precision(*this, x, theta);
}

torch::Tensor PhysicalMeshImpl::compute(const torch::Tensor& x, std::vector<torch::Tensor>* /*saved*/) {
  system_->set_phases(theta, phi, gamma);
  return detector_reading(options.detection(), system_->measure(x));
}

torch::Tensor PhysicalMeshImpl::tpfp_update(const Pass& pass, const torch::Tensor& signal, bool to_input) {
  // The model's pass is complex, so that its pull-back takes a real signal too, and checks the shape.
  return model_->pullback(model_->propagate(pass.input), signal, to_input);
}

torch::Tensor PhysicalMeshImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy,
                                                 bool to_input) {
  const auto modelled = model_->propagate(pass.input);
  const auto& h = pass.output;
  const auto direction = at::sgn(modelled.output);
  // |z| dL_dh dh/dI 2: with h = sqrt(I + d) the last two make 1 / h.
  const auto slope = options.detection() == Detection::amplitude
                         ? (h.square() - dark_intensity).clamp_min(0).sqrt() * dL_dy / h
                         : h.clamp_min(0).sqrt() * dL_dy * 2;
  return model_->pullback(modelled, direction * slope, to_input);
}

Adjoint PhysicalMeshImpl::adjoint(const torch::Tensor& x) const {
  auto adjoint = model_->adjoint(x);
  // What stands behind the detectors is real.
  adjoint.apply = [apply = adjoint.apply, type = x.scalar_type()](const torch::Tensor& u) {
    return apply(u.to(type));
  };
  return adjoint;
}

Deployment PhysicalMeshImpl::deploy() {
  reject({.where = "PhysicalMesh",
          .argument = "deploy",
          .expected = "a layer that is made of tensors",
          .got = "a physical system",
          .remedy = "Export a network with the MziMesh of model() instead"});
}

void PhysicalMeshImpl::copy_phases(const MziMeshImpl& mesh) {
  const torch::NoGradGuard no_grad;
  check_layout("mesh", mesh.layout(), model_->layout());
  OPTOTORCH_CHECK(
      mesh.gamma.defined() == gamma.defined(), .where = "PhysicalMesh", .argument = "mesh",
      .expected = gamma.defined() ? "a mesh with a phase screen" : "a mesh without a phase screen",
      .got = gamma.defined() ? "one without" : "one with", .remedy = "");
  theta.copy_(mesh.theta);
  phi.copy_(mesh.phi);
  if (gamma.defined()) {
    gamma.copy_(mesh.gamma);
  }
}

void PhysicalMeshImpl::pretty_print(std::ostream& stream) const {
  const auto& layout = model_->layout();
  stream << "optotorch::PhysicalMesh(ports=" << layout.ports << ", columns=" << layout.columns
         << ", grid=" << to_string(layout.grid) << ", mzis=" << layout.mzis()
         << ", detection=" << to_string(options.detection()) << ")";
}

}  // namespace optotorch
