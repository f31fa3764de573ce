// Decomposition as operators, for whoever has no C++ (decomposition.h, haar.h, fidelity.h):
//
//     decompose(Tensor unitary, *, LAYOUT) -> (Tensor theta, Tensor phi, Tensor gamma)
//     reconstruct(Tensor theta, Tensor phi, Tensor? gamma, *, int ports, LAYOUT) -> Tensor
//     convert(Tensor theta, Tensor phi, Tensor? gamma, *, int ports, LAYOUT, to_LAYOUT)
//         -> (Tensor theta, Tensor phi, Tensor gamma)
//     haar_unitary(int ports) -> Tensor
//     fidelity(Tensor u, Tensor v) -> float
//
// A layout is grid, columns, phi_arm, zero_state and idle_port; columns = 0: as many as make it universal.

#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/mesh/decomposition.h>
#include <optotorch/mesh/fidelity.h>
#include <optotorch/mesh/haar.h>
#include <torch/library.h>

#include <optional>
#include <string>
#include <tuple>

namespace optotorch {
namespace {

using Phases = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

MeshLayout layout_of(const std::string& where, int64_t ports, const std::string& grid, int64_t columns,
                     const std::string& arm, const std::string& zero, const std::string& idle) {
  OPTOTORCH_CHECK(ports >= 2 && ports <= 65536, .where = where, .argument = "ports", .expected = "2 to 65536",
                  .got = std::to_string(ports));
  MeshLayout layout{mesh_grid(grid), ports, columns, phi_arm(arm), zero_state(zero), idle_port(idle)};
  if (columns == 0) {
    layout.columns = MeshLayout::universal_columns(layout.grid, ports);
  }
  layout.check(where);
  return layout;
}

/// Throws unless there are values that can be read.
void check_values(const std::string& where, const char* argument, const at::Tensor& tensor) {
  OPTOTORCH_CHECK(tensor.defined() && tensor.layout() == at::kStrided && tensor.is_cpu(), .where = where,
                  .argument = argument, .expected = "a dense tensor on the CPU", .got = describe(tensor));
}

MeshPhases phases_of(const std::string& where, const at::Tensor& theta, const at::Tensor& phi,
                     const std::optional<at::Tensor>& gamma) {
  check_values(where, "theta", theta);
  check_values(where, "phi", phi);
  if (gamma) {
    check_values(where, "gamma", *gamma);
  }
  return {theta.detach(), phi.detach(), gamma ? gamma->detach() : at::Tensor()};
}

Phases as_tuple(const MeshPhases& phases) {
  return {phases.theta, phases.phi,
          phases.gamma.defined() ? phases.gamma : at::empty({0}, phases.phi.options())};
}

Phases decompose_operator(const at::Tensor& unitary, const std::string& grid, int64_t columns,
                          const std::string& arm, const std::string& zero, const std::string& idle) {
  check_values("decompose", "unitary", unitary);
  OPTOTORCH_CHECK(unitary.dim() == 2 && unitary.size(0) == unitary.size(1), .where = "decompose",
                  .argument = "unitary", .expected = "[ports, ports]", .got = describe(unitary));
  return as_tuple(
      decompose(unitary.detach(), layout_of("decompose", unitary.size(0), grid, columns, arm, zero, idle)));
}

at::Tensor reconstruct_operator(const at::Tensor& theta, const at::Tensor& phi,
                                const std::optional<at::Tensor>& gamma, int64_t ports,
                                const std::string& grid, int64_t columns, const std::string& arm,
                                const std::string& zero, const std::string& idle) {
  return reconstruct(phases_of("reconstruct", theta, phi, gamma),
                     layout_of("reconstruct", ports, grid, columns, arm, zero, idle));
}

Phases convert_operator(const at::Tensor& theta, const at::Tensor& phi,
                        const std::optional<at::Tensor>& gamma, int64_t ports, const std::string& grid,
                        int64_t columns, const std::string& arm, const std::string& zero,
                        const std::string& idle, const std::string& to_grid, int64_t to_columns,
                        const std::string& to_arm, const std::string& to_zero, const std::string& to_idle) {
  return as_tuple(convert(phases_of("convert", theta, phi, gamma),
                          layout_of("convert", ports, grid, columns, arm, zero, idle),
                          layout_of("convert", ports, to_grid, to_columns, to_arm, to_zero, to_idle)));
}

at::Tensor haar_operator(int64_t ports) {
  return haar_unitary(ports);
}

double fidelity_operator(const at::Tensor& u, const at::Tensor& v) {
  check_values("fidelity", "u", u);
  check_values("fidelity", "v", v);
  return fidelity(u.detach(), v.detach());
}

TORCH_LIBRARY_FRAGMENT(optotorch, library) {
  library.def(
      "decompose(Tensor unitary, *, str grid='rectangular', int columns=0, str phi_arm='output', "
      "str zero_state='cross', str idle_port='wire') -> (Tensor, Tensor, Tensor)",
      decompose_operator);
  library.def(
      "reconstruct(Tensor theta, Tensor phi, Tensor? gamma=None, *, int ports, str grid='rectangular', "
      "int columns=0, str phi_arm='output', str zero_state='cross', str idle_port='wire') -> Tensor",
      reconstruct_operator);
  library.def(
      "convert(Tensor theta, Tensor phi, Tensor? gamma=None, *, int ports, str grid='rectangular', "
      "int columns=0, str phi_arm='output', str zero_state='cross', str idle_port='wire', "
      "str to_grid='rectangular', int to_columns=0, str to_phi_arm='output', str to_zero_state='cross', "
      "str to_idle_port='wire') -> (Tensor, Tensor, Tensor)",
      convert_operator);
  library.def("haar_unitary(int ports) -> Tensor", haar_operator);
  library.def("fidelity(Tensor u, Tensor v) -> float", fidelity_operator);
}

}  // namespace
}  // namespace optotorch
