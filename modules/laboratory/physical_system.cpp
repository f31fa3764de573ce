#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/physical_system.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>
#include <utility>

namespace optotorch {
namespace {

constexpr char where[] = "PhysicalSystem";

/// What is sent: a copy that no optimiser steps.
at::Tensor checked_copy(const std::string& argument, const at::Tensor& phases, int64_t count) {
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

bool same(const MeshPhases& a, const MeshPhases& b) {
  return same(a.theta, b.theta) && same(a.phi, b.phi) && same(a.gamma, b.gamma);
}

MeshPhases copy(const MeshPhases& phases) {
  return {phases.theta.clone(), phases.phi.clone(),
          phases.gamma.defined() ? phases.gamma.clone() : at::Tensor()};
}

}  // namespace

PhysicalSystem::PhysicalSystem(std::vector<MeshLayout> layouts, bool monitors)
    : layouts_(std::move(layouts)), monitors_(monitors) {
  OPTOTORCH_CHECK(!layouts_.empty(), .where = where, .argument = "layouts", .expected = "at least one mesh",
                  .got = "none");
  for (const auto& layout : layouts_) {
    layout.check(where);
    OPTOTORCH_CHECK(layout.ports == ports(), .where = where, .argument = "layouts",
                    .expected = c10::str("meshes of ", ports(), " ports, as the first"),
                    .got = std::to_string(layout.ports));
  }
}

void PhysicalSystem::set_phases(const std::vector<MeshPhases>& phases) {
  OPTOTORCH_CHECK(phases.size() == layouts_.size(), .where = where, .argument = "phases",
                  .expected = c10::str("those of ", layouts_.size(), " meshes"),
                  .got = std::to_string(phases.size()));
  std::vector<MeshPhases> next;
  for (size_t m = 0; m < phases.size(); ++m) {
    const auto of = phases.size() == 1 ? std::string() : c10::str(" of mesh ", m);
    const int64_t mzis = layouts_[m].mzis();
    next.push_back(
        {checked_copy("theta" + of, phases[m].theta, mzis), checked_copy("phi" + of, phases[m].phi, mzis),
         phases[m].gamma.defined() ? checked_copy("gamma" + of, phases[m].gamma, ports()) : at::Tensor()});
  }
  const auto equal = [](const MeshPhases& a, const MeshPhases& b) { return same(a, b); };
  if (std::equal(phases_.begin(), phases_.end(), next.begin(), next.end(), equal)) {
    return;
  }
  phases_.clear();  // a command that fails leaves the phases unknown: the next one is sent in any case
  std::vector<MeshPhases> sent;
  std::transform(next.begin(), next.end(), std::back_inserter(sent), copy);
  command(sent);
  phases_ = std::move(next);
  ++commands_;
}

Readings PhysicalSystem::measure(const at::Tensor& x) {
  OPTOTORCH_CHECK(!phases_.empty(), .where = where, .argument = "phases", .expected = "phases that are set",
                  .got = "none", .remedy = "Call set_phases first");
  OPTOTORCH_CHECK(x.defined() && x.dim() == 2 && x.size(1) == ports() &&
                      (x.scalar_type() == at::kComplexFloat || x.scalar_type() == at::kComplexDouble),
                  .where = where, .argument = "x",
                  .expected = c10::str("a complex64 or complex128 field [batch, ", ports(), "]"),
                  .got = describe(x), .remedy = "A Modulator turns real values into a field");
  check_finite(where, "x", x);
  const at::NoGradGuard no_grad;
  auto sent = std::exchange(phases_, {});  // as with a command: a reading that fails leaves them unknown
  const auto read_out = read(x.detach());
  phases_ = std::move(sent);
  const size_t expected = monitors_ ? layouts_.size() : 1;
  OPTOTORCH_CHECK(read_out.size() == expected, .where = where, .argument = "readings",
                  .expected = std::to_string(expected), .got = std::to_string(read_out.size()),
                  .remedy = "The implementation of the system is wrong");
  Readings readings{std::vector<at::Tensor>(layouts_.size())};
  for (size_t i = 0; i < expected; ++i) {
    const auto& intensity = read_out[i];
    OPTOTORCH_CHECK(intensity.defined() && intensity.is_floating_point() && intensity.sizes() == x.sizes(),
                    .where = where, .argument = "reading", .expected = c10::str("real ", x.sizes()),
                    .got = describe(intensity), .remedy = "The implementation of the system is wrong");
    check_reading(i, intensity);
    readings.behind[layouts_.size() - expected + i] =
        intensity.to(x.options().dtype(c10::toRealValueType(x.scalar_type())));
  }
  measurements_ += x.size(0);
  ++batches_;
  return readings;
}

void PhysicalSystem::check_reading(size_t number, const at::Tensor& intensity, int64_t first) const {
  if (std::isfinite(intensity.sum(at::kDouble).item<double>())) {  // fast, and too strict at worst
    return;
  }
  const auto bad = intensity.isfinite().logical_not().nonzero();
  if (bad.size(0) == 0) {
    return;
  }
  const int64_t sample = bad[0][0].item<int64_t>(), port = bad[0][1].item<int64_t>();
  const bool is_nan = std::isnan(intensity[sample][port].item<double>());
  reject({.where = where,
          .argument = c10::str("reading behind mesh ", monitors_ ? number : layouts_.size() - 1),
          .expected = "finite intensities",
          .got = c10::str(is_nan ? "NaN" : "infinity", " at sample ", first + sample, ", port ", port,
                          ", of batch ", batches_, " that was measured"),
          .remedy = "Mesh, sample, port and batch are counted from 0. Look at the detectors"});
}

}  // namespace optotorch
