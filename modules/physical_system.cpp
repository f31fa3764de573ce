#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/physical_system.h>

namespace optotorch {
namespace {

constexpr char where[] = "PhysicalSystem";

/// What is sent: a copy that no optimiser steps.
at::Tensor checked_copy(const char* argument, const at::Tensor& phases, int64_t count) {
  OPTOTORCH_CHECK(phases.defined() && phases.dim() == 1 && phases.size(0) == count &&
                      (phases.scalar_type() == at::kFloat || phases.scalar_type() == at::kDouble),
                  .where = where, .argument = argument,
                  .expected = c10::str("float32 or float64 [", count, "]"), .got = describe(phases),
                  .remedy = "The commands must fit the layout of the system");
  check_finite(where, argument, phases);
  return phases.detach().to(at::TensorOptions(at::kCPU).dtype(at::kDouble), /*non_blocking=*/false,
                            /*copy=*/true);
}

bool same(const at::Tensor& a, const at::Tensor& b) {
  return a.defined() == b.defined() && (!a.defined() || a.equal(b));
}

}  // namespace

PhysicalSystem::PhysicalSystem(const MeshLayout& layout) : layout_(layout) {
  layout.check(where);
}

void PhysicalSystem::set_phases(const at::Tensor& theta, const at::Tensor& phi, const at::Tensor& gamma) {
  const int64_t mzis = layout_.mzis();
  const auto new_theta = checked_copy("theta", theta, mzis), new_phi = checked_copy("phi", phi, mzis);
  const auto new_gamma = gamma.defined() ? checked_copy("gamma", gamma, ports()) : at::Tensor();
  if (theta_.defined() && same(theta_, new_theta) && same(phi_, new_phi) && same(gamma_, new_gamma)) {
    return;
  }
  theta_ = at::Tensor();  // a command that fails leaves the phases unknown: the next one is sent in any case
  command(new_theta.clone(), new_phi.clone(), new_gamma.defined() ? new_gamma.clone() : new_gamma);
  theta_ = new_theta;
  phi_ = new_phi;
  gamma_ = new_gamma;
  ++commands_;
}

at::Tensor PhysicalSystem::measure(const at::Tensor& x) {
  OPTOTORCH_CHECK(theta_.defined(), .where = where, .argument = "phases", .expected = "phases that are set",
                  .got = "none", .remedy = "Call set_phases first");
  OPTOTORCH_CHECK(x.defined() && x.dim() == 2 && x.size(1) == ports() &&
                      (x.scalar_type() == at::kComplexFloat || x.scalar_type() == at::kComplexDouble),
                  .where = where, .argument = "x",
                  .expected = c10::str("a complex64 or complex128 field [batch, ", ports(), "]"),
                  .got = describe(x), .remedy = "A Modulator turns real values into a field");
  check_finite(where, "x", x);
  const at::NoGradGuard no_grad;
  const auto intensity = read(x.detach());
  OPTOTORCH_CHECK(intensity.defined() && intensity.is_floating_point() && intensity.sizes() == x.sizes(),
                  .where = where, .argument = "reading", .expected = c10::str("real ", x.sizes()),
                  .got = describe(intensity), .remedy = "The implementation of the system is wrong");
  check_finite(where, "reading", intensity);
  measurements_ += x.size(0);
  return intensity.to(x.options().dtype(c10::toRealValueType(x.scalar_type())));
}

}  // namespace optotorch
