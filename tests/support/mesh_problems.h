#pragma once

// Meshes of all kinds with inputs and signals, and what the reference makes of them.

#include <ATen/ATen.h>
#include <optotorch/ops/mzi_mesh.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace optotorch::ops::mesh_problems {

/// One mesh and one batch; `loss` is the least transmission of an arm (1: no transmission tensor).
struct Case {
  int64_t ports, columns, batch;
  MeshGrid grid = MeshGrid::rectangular;
  PhiArm phi_arm = PhiArm::output;
  ZeroState zero_state = ZeroState::cross;
  IdlePort idle_port = IdlePort::wire;
  bool screen = false;
  bool errors = false;
  double least_transmission = 1;

  MeshLayout layout() const { return {grid, ports, columns, phi_arm, zero_state, idle_port}; }
};

inline void PrintTo(const Case& c, std::ostream* out) {
  *out << c.ports << " ports, " << c.columns << " columns, batch " << c.batch << ", " << to_string(c.grid)
       << ", phi " << to_string(c.phi_arm) << ", " << to_string(c.zero_state) << ", "
       << to_string(c.idle_port) << (c.screen ? ", screen" : "") << (c.errors ? ", errors" : "")
       << ", transmission " << c.least_transmission;
}

inline const auto triangle = MeshGrid::triangular;
inline const auto brick = MeshGrid::rectangular;
inline const auto in = PhiArm::input;
inline const auto out = PhiArm::output;
inline const auto cross = ZeroState::cross;
inline const auto bar = ZeroState::bar;
inline const auto wire = IdlePort::wire;
inline const auto dummy = IdlePort::bar;

inline const std::vector<Case> cases = {
    {2, 1, 5},
    {2, 2, 1, brick, in, bar, dummy, true},  // the second column has no MZI
    {3, 3, 0, brick, out, cross, wire, true, true, 0.9},
    {3, 3, 0},
    {3, 4, 31, brick, in, cross, dummy, true},
    {4, 5, 32, triangle, out, bar, dummy, true},
    {5, 5, 33, brick, out, cross, wire, true, true},
    {5, 7, 33, triangle, in, cross, wire, true, false, 0.7},
    {7, 11, 17, triangle, in, bar, dummy, true, true, 0.9},
    {8, 8, 300, brick, in, cross, wire, true},
    {8, 8, 300, brick, out, bar, dummy, true, true, 0.8},
    {9, 20, 300, brick, out, cross, dummy},
    {16, 16, 64, brick, out, bar, wire, true},
    {16, 64, 33, brick, out, cross, wire, false, false, 0.5},    // heavy loss: 2^-64 over the mesh
    {16, 12, 33, brick, in, bar, dummy, true, true, 0.01},       // one segment a column
    {17, 31, 40, triangle, out, cross, wire, true, true, 0.99},  // a few segments
    {33, 40, 70, brick, in, cross, dummy, true},
    {64, 64, 128, brick, out, bar, wire, true},
    {64, 64, 16, brick, in, cross, wire, false, true},
    // Tiles that leave the cache are swept in bands of ports.
    {97, 40, 33, brick, out, cross, dummy, true},
    {112, 17, 5, brick, in, bar, wire, true},
    {113, 49, 5, brick, out, bar, wire},
    {225, 33, 3, brick, in, cross, dummy, true},
    {226, 34, 3, brick, out, cross, wire, true},
    {240, 15, 3, brick, in, cross, wire},
    {100, 197, 5, triangle, out, cross, wire, true},
    {120, 70, 5, triangle, in, bar, dummy, true},
    // Batches large enough for the gradients to come from one matrix.
    {3, 10, 71, brick, in, cross, dummy, true},
    {17, 31, 99, triangle, in, cross, wire, true},
    {18, 33, 101, triangle, out, bar, dummy, true},
    {33, 40, 131, brick, out, cross, dummy, true},
    {66, 66, 197, brick, in, bar, wire, true},
    {127, 67, 319, brick, out, bar, dummy, true},
    // The matrix in tiles: bands of its rows and columns.
    {227, 35, 700, brick, out, cross, dummy, true},
    {240, 60, 725, triangle, in, cross, wire, true},
};

struct Problem {
  at::Tensor input, dL_doutput;
  MeshTensors mesh;
};

inline Problem problem(const Case& c, at::ScalarType real) {
  at::manual_seed(1000 + c.ports * 10 + c.columns);
  const auto complex = at::TensorOptions().dtype(c10::toComplexType(real));
  const int64_t mzis = c.layout().mzis();
  // Drawn in double, so that both precisions solve the same problem; angles well beyond one turn.
  const auto draw = [&](at::IntArrayRef shape, double low, double high) {
    return (at::rand(shape, at::kDouble) * (high - low) + low).to(real);
  };
  Problem p;
  p.mesh = {draw({mzis}, -9, 9), draw({mzis}, -9, 9)};
  if (c.screen) p.mesh.screen = draw({c.ports}, -9, 9);
  if (c.errors) p.mesh.splitter_error = draw({mzis, 2}, -0.9, 0.9);
  if (c.least_transmission < 1) {
    p.mesh.transmission = draw({mzis, 2}, c.least_transmission, std::min(1.0, 1.1 * c.least_transmission));
  }
  p.input = at::randn({c.batch, c.ports}, at::kComplexDouble).to(complex.dtype());
  p.dL_doutput = at::randn({c.batch, c.ports}, at::kComplexDouble).to(complex.dtype());
  return p;
}

inline MeshTensors to(const MeshTensors& mesh, at::ScalarType real) {
  const auto each = [&](const std::optional<at::Tensor>& t) {
    return t ? std::optional<at::Tensor>(t->to(real)) : std::nullopt;
  };
  return {mesh.theta.to(real), mesh.phi.to(real), each(mesh.screen), each(mesh.splitter_error),
          each(mesh.transmission)};
}

inline std::vector<std::optional<at::Tensor>> list(const at::Tensor& first, const MeshTensors& mesh) {
  return {first, mesh.theta, mesh.phi, mesh.screen, mesh.splitter_error, mesh.transmission};
}
inline std::vector<at::Tensor> list(const MeshGradients& d) {
  return {d.dL_dinput, d.dL_dtheta, d.dL_dphi, d.dL_dscreen, d.dL_dsplitter_error, d.dL_dtransmission};
}
inline const std::vector<std::string> names = {"input",  "theta",          "phi",
                                               "screen", "splitter_error", "transmission"};

/// |a - b| / |b|, 0 for empty tensors.
inline double relative(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  if (b.numel() == 0) return 0;
  const auto wide = b.is_complex() ? at::kComplexDouble : at::kDouble;
  const double difference = (a.to(wide) - b.to(wide)).norm().item().toComplexDouble().real();
  const double size = b.to(wide).norm().item().toComplexDouble().real();
  return difference == 0 ? 0 : difference / size;
}

/// Outputs and gradients of the reference in double, by autograd.
inline std::pair<at::Tensor, std::vector<at::Tensor>> reference(const Problem& p, const Case& c) {
  const auto mesh = to(p.mesh, at::kDouble);
  std::vector<at::Tensor> leaves;
  const auto leaf = [&](const at::Tensor& t) {
    leaves.push_back(t.detach().clone().requires_grad_(true));
    return leaves.back();
  };
  const auto optional_leaf = [&](const std::optional<at::Tensor>& t) {
    return t ? std::optional<at::Tensor>(leaf(*t)) : std::nullopt;
  };
  const auto x = leaf(p.input.to(at::kComplexDouble));
  MeshTensors tracked{leaf(mesh.theta), leaf(mesh.phi)};
  tracked.screen = optional_leaf(mesh.screen);
  tracked.splitter_error = optional_leaf(mesh.splitter_error);
  tracked.transmission = optional_leaf(mesh.transmission);
  const auto y = mzi_mesh_reference(x, tracked, c.layout());
  const auto found =
      torch::autograd::grad({y}, leaves, {p.dL_doutput.to(at::kComplexDouble)}, std::nullopt, false, true);
  std::vector<at::Tensor> all;
  size_t next = 0;
  for (const auto& tensor : list(x, tracked)) {
    const auto gradient = tensor ? found[next++] : at::empty({0}, at::kDouble);
    all.push_back(gradient.defined() ? gradient : at::zeros_like(*tensor));
  }
  return {y.detach(), all};
}

}  // namespace optotorch::ops::mesh_problems
