#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/mesh/decomposition.h>
#include <optotorch/mesh/haar.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/mzi_mesh.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

namespace optotorch {
namespace {

torch::Tensor theta_of(const MeshPhases& phases) {
  return phases.theta;
}
torch::Tensor phi_of(const MeshPhases& phases) {
  return phases.phi;
}
torch::Tensor screen_of(const MeshPhases& phases) {
  return phases.gamma;
}

/// One tensor of every mesh: side by side, or as it is if there is one mesh.
torch::Tensor gather(const std::vector<MeshPhases>& meshes, torch::Tensor (*of)(const MeshPhases&)) {
  if (meshes.size() == 1) {
    return of(meshes.front());
  }
  std::vector<torch::Tensor> rows;
  for (const auto& phases : meshes) {
    rows.push_back(of(phases));
  }
  return at::stack(rows);
}

}  // namespace

MeshLayout MziMeshOptions::layout() const {
  const int64_t depth = columns_ != 0 ? columns_ : MeshLayout::universal_columns(grid_, ports_);
  return {grid_, ports_, depth, phi_arm_, zero_state_, idle_port_};
}

MziMeshImpl::MziMeshImpl(MziMeshOptions options_) : CloneableLayer("MziMesh"), options(options_) {
  layout_ = options.layout();
  layout_.check("MziMesh");
  OPTOTORCH_CHECK(options.meshes() >= 1, .where = "MziMesh", .argument = "meshes", .expected = "at least 1",
                  .got = std::to_string(options.meshes()));
  std::vector<MeshPhases> phases;
  for (int64_t k = 0; k < options.meshes(); ++k) {
    phases.push_back(haar_phases(layout_));
  }
  const auto type = c10::typeMetaToScalarType(torch::get_default_dtype());
  theta = register_phases("theta", gather(phases, theta_of).to(type));
  phi = register_phases("phi", gather(phases, phi_of).to(type));
  if (options.screen()) {
    gamma = register_phases("gamma", gather(phases, screen_of).to(type));
  }
  if (options.imperfect()) {
    auto shape = theta.sizes().vec();
    shape.push_back(2);
    splitter_error = register_buffer("splitter_error", torch::zeros(shape, type));
    transmission = register_buffer("transmission", torch::ones(shape, type));
  }
}

ops::MeshTensors MziMeshImpl::tensors() const {
  const auto present = [](const torch::Tensor& tensor) {
    return tensor.defined() ? std::optional<torch::Tensor>(tensor) : std::nullopt;
  };
  return {theta, phi, present(gamma), present(splitter_error), present(transmission)};
}

void MziMeshImpl::check_input(const torch::Tensor& x) const {
  const int64_t ports = layout_.ports, meshes = options.meshes();
  const bool fits = x.defined() && x.is_complex() &&
                    (meshes == 1 ? x.dim() >= 2 && x.size(-1) == ports
                                 : x.dim() >= 3 && x.size(-1) == ports && x.size(-2) == meshes);
  OPTOTORCH_CHECK(
      fits, .where = name(), .argument = "input",
      .expected = meshes == 1 ? c10::str("a complex field [batch, ", ports, "] or [batch, ..., ", ports, "]")
                              : c10::str("a complex field [batch, ..., ", meshes, ", ", ports, "]"),
      .got = describe(x),
      .remedy = x.defined() && !x.is_complex() ? "A Modulator turns real values into a field"
                                               : "Match the ports of the layer before it");
  check_precision(*this, x, theta);
}

torch::Tensor MziMeshImpl::flat(const torch::Tensor& field) const {
  // A field without elements leaves -1 undetermined.
  const int64_t own = options.meshes() == 1 ? 1 : 2;
  const int64_t batch = c10::multiply_integers(field.sizes().slice(0, field.dim() - own));
  return own == 1 ? field.reshape({batch, layout_.ports})
                  : field.reshape({batch, options.meshes(), layout_.ports});
}

torch::Tensor MziMeshImpl::compute(const torch::Tensor& x, Pass* kept) {
  return ops::mzi_mesh(flat(x), tensors(), layout_).view(x.sizes());
}

torch::Tensor MziMeshImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) {
  const auto gradients =
      ops::mzi_mesh_backward(flat(dL_dy), flat(pass.input), flat(pass.output), tensors(), layout_, to_input);
  accumulate(theta, gradients.dL_dtheta);
  accumulate(phi, gradients.dL_dphi);
  if (gamma.defined()) {
    accumulate(gamma, gradients.dL_dscreen);
  }
  return to_input ? gradients.dL_dinput.view(pass.input.sizes()) : torch::Tensor();
}

StageDesign mesh_design(const MeshLayout& layout) {
  const nlohmann::json options{{"ports", layout.ports},
                               {"columns", layout.columns},
                               {"grid", to_string(layout.grid)},
                               {"phi_arm", to_string(layout.phi_arm)},
                               {"zero_state", to_string(layout.zero_state)},
                               {"idle_port", to_string(layout.idle_port)}};
  const std::vector<int64_t> mzis{layout.mzis()}, ports{layout.ports};
  return {.type = "MziMesh",
          .options = options.dump(),
          .input = ports,
          .output = ports,
          .commands = {{"theta", {mzis}}, {"phi", {mzis}}, {"gamma", {ports, /*required=*/false}}}};
}

std::vector<StageError> mesh_errors(const MeshLayout& layout) {
  const int64_t mzis = layout.mzis();
  constexpr double most_learnt = 0.5;
  return {{"theta_offset", {mzis}, "phase_error"},
          {"phi_offset", {mzis}, "phase_error"},
          {"splitter_error", {mzis, 2}, "splitter_error", {}, -most_learnt, most_learnt}};
}

StageDesign MziMeshImpl::make_design() const {
  OPTOTORCH_CHECK(options.meshes() == 1 && !options.imperfect(), .where = "MziMesh", .argument = "mesh",
                  .expected = "the error-free model of one mesh", .got = "imperfect(true) or a stack",
                  .remedy = "Errors belong to the system");
  return mesh_design(layout_);
}

std::vector<StageError> MziMeshImpl::errors() const {
  return mesh_errors(layout_);
}

namespace {

ops::MeshTensors with_errors(const Values& commands, const Values& errors) {
  ops::MeshTensors mesh{.theta = plus(commands.at("theta"), errors, "theta_offset"),
                        .phi = plus(commands.at("phi"), errors, "phi_offset")};
  if (const auto gamma = find(commands, "gamma"); gamma.defined()) {
    mesh.screen = gamma;
  }
  if (const auto splitter_error = find(errors, "splitter_error"); splitter_error.defined()) {
    mesh.splitter_error = splitter_error;
  }
  return mesh;
}

}  // namespace

torch::Tensor MziMeshImpl::respond(const torch::Tensor& x, const Values& commands,
                                   const Values& errors) const {
  return ops::mzi_mesh(x, with_errors(commands, errors), layout_);
}

Stage::Gradients MziMeshImpl::respond_backward(const torch::Tensor& dL_dy, const torch::Tensor& x,
                                               const torch::Tensor& y, const Values& commands,
                                               const Values& errors, const Wanted& wanted) const {
  const auto g = ops::mzi_mesh_backward(dL_dy, x, y, with_errors(commands, errors), layout_, wanted.input);
  Gradients gradients{.dL_dx = g.dL_dinput,
                      .commands = {{"theta", g.dL_dtheta}, {"phi", g.dL_dphi}},
                      .errors = {{"theta_offset", g.dL_dtheta}, {"phi_offset", g.dL_dphi}}};
  if (find(commands, "gamma").defined()) {
    gradients.commands["gamma"] = g.dL_dscreen;
  }
  if (find(errors, "splitter_error").defined()) {
    gradients.errors["splitter_error"] = g.dL_dsplitter_error;
  }
  return gradients;
}

Footprint MziMeshImpl::footprint() const {
  const int64_t meshes = options.meshes(), mzis = layout_.mzis();
  return {{parts::mzis, meshes * mzis},
          {parts::phase_shifters, meshes * (2 * mzis + (options.screen() ? layout_.ports : 0))}};
}

Traversal MziMeshImpl::traversal(const Pass& pass) const {
  auto way = Layer::traversal(pass);
  way.along[parts::mzis] = layout_.columns;
  way.along[parts::phase_shifters] = 2 * layout_.columns + (options.screen() ? 1 : 0);
  const int64_t samples = pass.input.size(0), ports = layout_.ports;
  way.passes = pass.input.numel() / std::max<int64_t>(1, samples * options.meshes() * ports);
  way.multiply_adds = way.passes * options.meshes() * ports * ports;
  return way;
}

torch::Tensor MziMeshImpl::matrix() const {
  const torch::NoGradGuard no_grad;
  const auto identity =
      torch::eye(layout_.ports, theta.options().dtype(c10::toComplexType(theta.scalar_type())));
  if (options.meshes() == 1) {
    return ops::mzi_mesh(identity, tensors(), layout_).t();
  }
  const auto images =
      identity.unsqueeze(1).expand({layout_.ports, options.meshes(), layout_.ports});  // [in, mesh, out]
  return ops::mzi_mesh(images, tensors(), layout_).permute({1, 2, 0});
}

void MziMeshImpl::set_matrix(const torch::Tensor& unitary) {
  const torch::NoGradGuard no_grad;
  OPTOTORCH_CHECK(gamma.defined(), .where = "MziMesh", .argument = "unitary",
                  .expected = "a mesh with a phase screen", .got = "one without",
                  .remedy = "Make it with MziMeshOptions::screen(true)");
  const int64_t meshes = options.meshes(), ports = layout_.ports;
  std::vector<MeshPhases> phases;
  if (meshes == 1) {
    phases.push_back(decompose(unitary, layout_));
  } else {
    OPTOTORCH_CHECK(unitary.defined() && unitary.dim() == 3 && unitary.size(0) == meshes, .where = "MziMesh",
                    .argument = "unitary",
                    .expected = c10::str("[", meshes, ", ", ports, ", ", ports, "], a matrix a mesh"),
                    .got = describe(unitary));
    for (int64_t k = 0; k < meshes; ++k) {
      phases.push_back(decompose(unitary.select(0, k), layout_));
    }
  }
  theta.copy_(gather(phases, theta_of));
  phi.copy_(gather(phases, phi_of));
  gamma.copy_(gather(phases, screen_of));
}

Adjoint MziMeshImpl::adjoint(const torch::Tensor& /*x*/) const {
  const auto conjugate = matrix().conj().resolve_conj().contiguous();
  if (options.meshes() == 1) {
    return {{conjugate},
            [conjugate](const torch::Tensor& u) { return u.to(conjugate.scalar_type()).matmul(conjugate); }};
  }
  return {{conjugate}, [conjugate](const torch::Tensor& u) {
            const auto by_mesh = u.to(conjugate.scalar_type()).flatten(0, -3).transpose(0, 1);
            return by_mesh.bmm(conjugate).transpose(0, 1).reshape_as(u);
          }};
}

Deployment MziMeshImpl::deploy() {
  const auto transposed = matrix().mT().contiguous();
  if (options.meshes() == 1) {
    return {{{"matrix_transposed", transposed}},
            [transposed](const torch::Tensor& x) { return x.matmul(transposed); },
            transposed.t()};
  }
  return {{{"matrix_transposed", transposed}}, [transposed](const torch::Tensor& x) {
            const auto by_mesh = x.flatten(0, -3).transpose(0, 1);
            return by_mesh.bmm(transposed).transpose(0, 1).reshape_as(x);
          }};
}

namespace {

const RegisteredPart mzi_mesh_type(part_type<MziMeshImpl>("MziMesh", MziMeshOptions(2), 1));

}  // namespace
}  // namespace optotorch
