#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/optics/mzi_mesh.h>

namespace optotorch {

/// Options for MziLinear: MziLinearOptions(in, out).
struct MziLinearOptions {
  /// A matrix [out_ports, in_ports], by rectangular meshes.
  MziLinearOptions(int64_t in_ports, int64_t out_ports) : in_ports_(in_ports), out_ports_(out_ports) {}

  /// Number of guided modes at the input, at least 1.
  TORCH_ARG(int64_t, in_ports);
  /// Number of guided modes at the output, at least 1.
  TORCH_ARG(int64_t, out_ports);
  /// Grid of both meshes, which are universal.
  TORCH_ARG(MeshGrid, grid) = MeshGrid::rectangular;
  /// Arm that carries the external phase, in both meshes.
  TORCH_ARG(PhiArm, phi_arm) = PhiArm::output;
  /// State of an ideal MZI at theta = 0, in both meshes.
  TORCH_ARG(ZeroState, zero_state) = ZeroState::cross;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("in_ports", in_ports_);
    visit("out_ports", out_ports_);
    visit("grid", grid_);
    visit("phi_arm", phi_arm_);
    visit("zero_state", zero_state_);
  }
};

/// Any complex matrix in optics, y = U Sigma V x: field [batch, in_ports] -> field [batch, out_ports].
///
/// V and U are meshes (children `v` and `u`), Sigma a row of amplitude controls: the real parameter `sigma`
/// [min(in, out)]. |sigma| <= 1 is an attenuator, more needs gain; initially 1. A side of one port uses a
/// two-port mesh whose second port stays dark. Source: Miller 2013 (singular value decomposition).
class MziLinearImpl : public CloneableLayer<MziLinearImpl> {
 public:
  /// A matrix [out_ports, in_ports], by rectangular meshes.
  MziLinearImpl(int64_t in_ports, int64_t out_ports) : MziLinearImpl(MziLinearOptions(in_ports, out_ports)) {}
  /// Throws c10::ValueError for fewer than 1 port on either side.
  explicit MziLinearImpl(MziLinearOptions options);

  bool is_matrix() const override { return true; }
  Role role() const override { return Role::component; }
  Deployment deploy() override;
  Footprint footprint() const override;
  Traversal traversal(const Pass& pass) const override;

  /// The matrix that the layer realises, [out_ports, in_ports].
  torch::Tensor matrix();

  /// Sets all phases and amplitudes so that the layer realises `weight` [out_ports, in_ports], any real
  /// or complex matrix. Throws c10::ValueError, with nothing changed, for another shape, values that are not
  /// finite, and singular values beyond the range of the layer's type.
  void set_matrix(const torch::Tensor& weight);

  /// The options it was made from.
  MziLinearOptions options;
  MziMesh v{nullptr},  ///< V at the input, a mesh of at least two ports
      u{nullptr};      ///< U at the output, a mesh of at least two ports
  /// Parameter [min(in_ports, out_ports)]: the amplitude controls between the meshes.
  torch::Tensor sigma;

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;

 private:
  torch::Tensor scale(const torch::Tensor& field, int64_t ports) const;
};

TORCH_MODULE(MziLinear);

}  // namespace optotorch
