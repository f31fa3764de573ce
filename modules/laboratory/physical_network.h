#pragma once

#include <optotorch/modules/laboratory/corrections/correction.h>
#include <optotorch/modules/laboratory/physical_system.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>

#include <memory>
#include <vector>

namespace optotorch {

/// How measured intensities enter the numerical model, F = |P| exp(i arg S).
enum class Fusion {
  propagate,  ///< the next mesh's model starts from F: every slope is taken where the hardware is
  in_place,  ///< only what the pull-back reads is F, as the code of arXiv 2212.06141 does it; the next mesh's
             ///< model starts from S
};

/// Options for PhysicalNetwork: PhysicalNetworkOptions(64).meshes(3).activation(layer).
struct PhysicalNetworkOptions {
  PhysicalNetworkOptions(int64_t ports) : mesh_(ports) {}       // NOLINT(google-explicit-constructor)
  PhysicalNetworkOptions(MziMeshOptions mesh) : mesh_(mesh) {}  // NOLINT(google-explicit-constructor)

  /// The design of each mesh: what the numerical model is. Not `imperfect`: nobody knows the errors.
  TORCH_ARG(MziMeshOptions, mesh);
  TORCH_ARG(int64_t, meshes) = 1;
  /// The model of the optics between two meshes, a layer without parameters; nullptr: none.
  TORCH_ARG(std::shared_ptr<Layer>, activation) = nullptr;
  /// What becomes of the intensities: Detection::amplitude or Detection::intensity.
  TORCH_ARG(Detection, detection) = Detection::amplitude;
  /// True if the readings of monitors enter the model, where there are any.
  TORCH_ARG(bool, internal_states) = true;
  TORCH_ARG(Fusion, fusion) = Fusion::propagate;
};

/// Meshes in the laboratory, the optics between them, and the detectors behind the last: field [batch, ports]
/// -> real [batch, ports]. Its parameters are those of the meshes' numerical models, "0.theta", "0.phi",
/// "0.gamma", "1.theta" ..., initially Haar-random. They are what is commanded; what the system makes of them
/// it keeps for itself.
///
///     forward:      h = sqrt(I_N + 1e-8) or I_N,  I_n = |P_n|^2 measured at the commanded phases
///     model:        S_n = correction_n(x_n, mesh_n),  F_n = |P_n| exp(i arg S_n) where I_n is measured, else
///                   S_n,  x_{n+1} = f(F_n)
///     pullback:     of the model, with every slope taken at F_n and the signal handed from F_n to S_n as is
///     tpfp_update:  of a single mesh: S at the mesh's output, dL_dtheta = Re tr((S x^H)^H dW/dtheta)
///
/// No update asks the system for anything. Without corrections S = U = W x, and the pull-back is
/// physics-aware training (Wright et al., Nature 601, 549, 2022), layer-wise if internal states are measured;
/// with corrections it is dual adaptive training (Zheng et al., arXiv 2212.06141).
///
/// In eval mode forward measures as well. It cannot be deployed: `deploy` throws. Copies made by clone() have
/// phases of their own and share the system and the corrections; the system is sent the phases of the copy
/// that measures.
class PhysicalNetworkImpl : public CloneableLayer<PhysicalNetworkImpl> {
 public:
  /// Throws c10::ValueError if the system is missing, of other meshes than the options say, or with other
  /// optics between them, and for other kinds of detection.
  PhysicalNetworkImpl(std::shared_ptr<PhysicalSystem> system, PhysicalNetworkOptions options);
  /// The same with meshes that are there already; of `options` neither mesh nor their number count.
  PhysicalNetworkImpl(std::shared_ptr<PhysicalSystem> system, PhysicalNetworkOptions options,
                      std::vector<std::shared_ptr<MziMeshImpl>> meshes);

  Role role() const override { return Role::component; }
  /// Light sent backwards through the nominal mesh; for a single mesh alone.
  Adjoint adjoint(const torch::Tensor& x) const override;
  Deployment deploy() override;
  Footprint footprint() const override;
  void pretty_print(std::ostream& stream) const override;
  /// `signal`, [batch, ports], real or complex, stands at the mesh's output *field*.
  torch::Tensor tpfp_update(const Pass& pass, const torch::Tensor& signal, bool to_input) override;

  /// The error-free meshes of the commanded phases: their parameters are this layer's.
  const std::vector<std::shared_ptr<MziMeshImpl>>& meshes() const { return meshes_; }
  const std::shared_ptr<PhysicalSystem>& system() const { return system_; }

  /// Commands the phases of meshes that were trained numerically. Throws c10::ValueError, with nothing
  /// changed, if they are others in number or layout, or if only one of two has a screen. Their errors, if
  /// they are imperfect, are not copied.
  void copy_phases(const std::vector<const MziMeshImpl*>& meshes);

  /// What corrects each mesh's model; none at first. Throws c10::ValueError unless there is one a mesh.
  void set_corrections(std::vector<std::shared_ptr<Correction>> corrections);
  const std::vector<std::shared_ptr<Correction>>& corrections() const { return corrections_; }

  /// c of all corrections, 0 to 1.
  double strength = 1;

  /// The model's pass through one mesh.
  struct State {
    Prediction prediction;  ///< S_n from x_n
    Pass through;           ///< the mesh's own pass, where nothing corrects it
    torch::Tensor fused;    ///< F_n
    torch::Tensor next;     ///< x_{n+1}; undefined behind the last mesh
  };

  /// The model for x with readings of the system: for nullptr the corrected model alone, F_n = S_n. If
  /// `separable`, every mesh's model starts from the measured state before it, whatever the options say.
  std::vector<State> model(const torch::Tensor& x, const Readings* readings, bool separable = false) const;

  /// forward with its readings and no model yet, which `with_model` adds, or runs again after corrections
  /// have learnt. Of a pass whose last reading is undefined the output is the model's.
  Pass measure(const torch::Tensor& x);
  Readings readings_of(const Pass& pass) const;
  Pass with_model(const Pass& pass) const;

  /// dL_dS_n of every mesh (undefined: none) through the corrected model alone to what `learns`.
  void pullback_model(const std::vector<State>& states, const std::vector<torch::Tensor>& dL_ds,
                      Correction::Learns learns) const;

  PhysicalNetworkOptions options;

 protected:
  /// The corrections, too.
  std::vector<torch::Tensor> read_by_pullback(const Pass& pass) const override;
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor evaluate(const torch::Tensor& x) override { return compute(x, nullptr); }
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;

 private:
  friend class CloneableLayer<PhysicalNetworkImpl>;
  std::shared_ptr<PhysicalNetworkImpl> remake() const;

  std::shared_ptr<PhysicalSystem> system_;
  std::vector<std::shared_ptr<MziMeshImpl>> meshes_;
  std::vector<std::shared_ptr<Correction>> corrections_;
};

TORCH_MODULE(PhysicalNetwork);

}  // namespace optotorch
