#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/stage.h>
#include <optotorch/ops/mzi_mesh.h>
#include <torch/arg.h>

namespace optotorch {

/// Options for MziMesh: MziMeshOptions(64).grid(MeshGrid::triangular).
struct MziMeshOptions {
  /// A single rectangular mesh, universal.
  MziMeshOptions(int64_t ports) : ports_(ports) {}  // NOLINT(google-explicit-constructor): MziMesh(64)

  /// Number of guided modes at input and output, at least 2.
  TORCH_ARG(int64_t, ports);
  /// Meshes side by side, each with phases of its own, at least 1.
  TORCH_ARG(int64_t, meshes) = 1;
  /// Arrangement of the MZIs.
  TORCH_ARG(MeshGrid, grid) = MeshGrid::rectangular;
  /// Columns of MZIs; 0 means as many as make the grid universal.
  TORCH_ARG(int64_t, columns) = 0;
  /// Arm that carries the external phase.
  TORCH_ARG(PhiArm, phi_arm) = PhiArm::output;
  /// State of an ideal MZI at theta = 0.
  TORCH_ARG(ZeroState, zero_state) = ZeroState::cross;
  /// Hardware at a port that no MZI of a column covers.
  TORCH_ARG(IdlePort, idle_port) = IdlePort::wire;
  /// A trainable phase per port, on the side that makes the mesh universal (see ops/mzi_mesh.h).
  TORCH_ARG(bool, screen) = true;
  /// Holds the buffers `splitter_error` and `transmission` of an imperfect mesh.
  TORCH_ARG(bool, imperfect) = false;

 public:
  /// Layout of each mesh; 0 columns become as many as make the grid universal.
  MeshLayout layout() const;

  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("ports", ports_);
    visit("meshes", meshes_);
    visit("grid", grid_);
    visit("columns", columns_);
    visit("phi_arm", phi_arm_);
    visit("zero_state", zero_state_);
    visit("idle_port", idle_port_);
    visit("screen", screen_);
    visit("imperfect", imperfect_);
  }
};

/// A mesh of Mach-Zehnder interferometers: field -> field of the same shape, [..., ports] with at least one
/// leading dimension. Formula: ops/mzi_mesh.h.
///
/// Parameters (radians): `theta` [mzis], `phi` [mzis], `gamma` [ports] if there is a screen; buffers
/// `splitter_error` [mzis, 2] and `transmission` [mzis, 2] if it is imperfect. Initially the mesh realises a
/// Haar-random unitary (drawn by LibTorch's generator, so that torch::manual_seed decides).
///
/// With meshes(m), m > 1, it is a stack of m meshes of one layout: the field is [..., m, ports], every
/// parameter and buffer has a leading dimension m, and mesh k maps what stands at [..., k, :].
class MziMeshImpl : public CloneableLayer<MziMeshImpl, Stage> {
 public:
  /// Throws c10::ValueError for fewer than 2 ports or 1 mesh, a negative number of columns, and more columns than a
  /// triangular grid has.
  explicit MziMeshImpl(MziMeshOptions options);

  Adjoint adjoint(const torch::Tensor& x) const override;
  bool is_matrix() const override { return options.meshes() == 1; }
  Deployment deploy() override;
  /// Parts of all meshes together.
  Footprint footprint() const override;
  Traversal traversal(const Pass& pass) const override;

  /// As a stage: one mesh, [batch, ports]; commands theta, phi and, if there is a screen, gamma; errors as
  /// mesh_errors says.
  std::vector<StageError> errors() const override;
  torch::Tensor respond(const torch::Tensor& x, const Values& commands, const Values& errors) const override;
  Gradients respond_backward(const torch::Tensor& dL_dy, const torch::Tensor& x, const torch::Tensor& y,
                             const Values& commands, const Values& errors,
                             const Wanted& wanted) const override;

  /// Layout of each mesh.
  const MeshLayout& layout() const { return layout_; }

  /// The matrix that the mesh realises with its errors: y = matrix() x. [ports, ports], or [meshes, ports,
  /// ports] with more than one mesh.
  torch::Tensor matrix() const;

  /// Sets the phases so that an error-free mesh realises `unitary`, complex64 or complex128 of matrix()'s
  /// shape. Throws c10::ValueError, and changes nothing, unless the mesh is universal, has a screen, and
  /// every matrix is unitary.
  void set_matrix(const torch::Tensor& unitary);

  /// The operator's arguments.
  ops::MeshTensors tensors() const;

  /// The options it was made from.
  MziMeshOptions options;
  torch::Tensor theta,  ///< parameter [mzis], internal phases, radians
      phi,              ///< parameter [mzis], external phases, radians
      gamma;            ///< parameter [ports], the screen, radians; undefined unless options.screen()
  torch::Tensor splitter_error,  ///< buffer [mzis, 2], e_l and e_r, -1 to 1; undefined unless imperfect
      transmission;              ///< buffer [mzis, 2], t_u and t_l, above 0 to 1; undefined unless imperfect

 protected:
  StageDesign make_design() const override;
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;

 private:
  /// The field as the operator takes it: all leading dimensions flattened to one batch.
  torch::Tensor flat(const torch::Tensor& field) const;

  MeshLayout layout_;
};

TORCH_MODULE(MziMesh);

/// Design of a mesh of such a layout.
StageDesign mesh_design(const MeshLayout& layout);

/// Errors of its MZIs: `theta_offset` and `phi_offset` [mzis], radians, and `splitter_error` [mzis, 2].
std::vector<StageError> mesh_errors(const MeshLayout& layout);

}  // namespace optotorch
