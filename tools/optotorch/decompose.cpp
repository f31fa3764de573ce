#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/core/npy.h>
#include <optotorch/mesh/decomposition.h>
#include <optotorch/mesh/fidelity.h>
#include <optotorch/modules/laboratory/chips/mesh_import.h>

#include <cstdio>
#include <filesystem>
#include <memory>

#include "optotorch/command.h"

#include "runs/validators.h"

namespace optotorch::tools {
namespace {

namespace fs = std::filesystem;

struct Settings {
  std::vector<std::string> files;
  std::string out, grid = "rectangular", phi_arm = "output", zero_state = "cross", idle_ports = "wire";
  bool nearest = false;
};

/// The meshes that are found, before anything is written.
struct Found {
  std::vector<MeshLayout> layouts;
  std::vector<MeshPhases> phases;
};

at::Tensor load_matrix(const std::string& file) {
  auto matrix = load_npy(file);
  OPTOTORCH_CHECK(matrix.dim() == 2 && matrix.size(0) == matrix.size(1) && matrix.size(0) >= 2,
                  .where = "optotorch", .argument = file, .expected = "a square matrix, 2 x 2 or larger",
                  .got = describe(matrix),
                  .remedy = "A rectangular one is two unitaries and singular values: numpy.linalg.svd");
  OPTOTORCH_CHECK(matrix.isfinite().all().item<bool>(), .where = "optotorch", .argument = file,
                  .expected = "finite numbers", .got = "NaN or infinity in it",
                  .remedy = "What wrote the file has failed");
  return matrix.to(at::kComplexDouble);
}

/// W V^H of U = W S V^H: no unitary is nearer, in the sum of squares.
at::Tensor nearest_unitary(const std::string& file, const at::Tensor& matrix) {
  const auto [w, s, vh] = at::linalg_svd(matrix, /*full_matrices=*/false);
  OPTOTORCH_CHECK(s[-1].item<double>() > 1e-12 * s[0].item<double>(), .where = "optotorch", .argument = file,
                  .expected = "a matrix of full rank",
                  .got = "a singular one, to which many unitaries are near");
  return at::matmul(w, vh);
}

void find(const Settings& settings, const std::string& file, Found& found) {
  const auto given = load_matrix(file);
  auto& layout = found.layouts.emplace_back();
  layout.grid = mesh_grid(settings.grid);
  layout.ports = given.size(0);
  layout.columns = MeshLayout::universal_columns(layout.grid, layout.ports);
  layout.phi_arm = phi_arm(settings.phi_arm);
  layout.zero_state = zero_state(settings.zero_state);
  layout.idle_port = idle_port(settings.idle_ports);
  const auto unitary = settings.nearest ? nearest_unitary(file, given) : given;
  const auto excess = at::matmul(unitary, unitary.conj().t()) - at::eye(layout.ports, unitary.options());
  const double deviation = excess.abs().max().item<double>();
  OPTOTORCH_CHECK(deviation <= 1e-6, .where = "optotorch", .argument = file,
                  .expected = "a unitary matrix, max |U U^H - 1| <= 1e-06",
                  .got = c10::str("max |U U^H - 1| = ", deviation),
                  .remedy = "--nearest takes the nearest unitary one");
  const auto& phases = found.phases.emplace_back(decompose(unitary, layout));
  const auto realised = reconstruct(phases, layout);
  std::printf("%s: %lld ports, %lld columns, %lld MZIs, fidelity %.12f, largest difference %.1e\n",
              file.c_str(), static_cast<long long>(layout.ports), static_cast<long long>(layout.columns),
              static_cast<long long>(layout.mzis()), fidelity(given, realised),
              (realised - given).abs().max().item<double>());
}

void run(const Settings& settings) {
  std::error_code error;
  OPTOTORCH_CHECK(!fs::exists(settings.out, error) || fs::is_empty(settings.out, error), .where = "optotorch",
                  .argument = "--out", .expected = "a new or empty folder", .got = "'" + settings.out + "'",
                  .remedy = "Choose another folder");
  Found found;
  for (const auto& file : settings.files) {
    find(settings, file, found);
  }
  export_phases(settings.out, found.layouts, found.phases);
  std::printf("wrote %s: theta, phi and gamma of %zu mesh%s\n", settings.out.c_str(), found.phases.size(),
              found.phases.size() == 1 ? "" : "es");
}

}  // namespace

void add_decompose(CLI::App& app) {
  auto* command =
      app.add_subcommand("decompose", "Unitary matrices as the phases of meshes, for train --start");
  auto settings = std::make_shared<Settings>();
  command
      ->add_option("U.npy", settings->files,
                   "Unitary matrices as NumPy files, y = U x; of several the first is mesh 0")
      ->required();
  command
      ->add_option("--out", settings->out,
                   "New folder for mesh0_theta.npy, mesh0_phi.npy, mesh0_gamma.npy, ...")
      ->required();
  command->add_option("--grid", settings->grid, "The meshes' grid")
      ->check(one_of({"rectangular", "triangular"}))
      ->capture_default_str();
  command->add_option("--phi-arm", settings->phi_arm, "Side of the MZI that carries phi")
      ->check(one_of({"output", "input"}))
      ->capture_default_str();
  command->add_option("--zero-state", settings->zero_state, "State of an MZI at theta = 0")
      ->check(one_of({"cross", "bar"}))
      ->capture_default_str();
  command
      ->add_option("--idle-ports", settings->idle_ports,
                   "The meshes' ports without an MZI in a column; the networks mpnn... have bar")
      ->check(one_of({"wire", "bar"}))
      ->capture_default_str();
  command->add_flag("--nearest", settings->nearest,
                    "Take the nearest unitary of a matrix that is not, as measured ones");
  command->callback([settings] { run(*settings); });
}

}  // namespace optotorch::tools
