#pragma once

#include <optotorch/modules/laboratory/corrections/correction.h>
#include <optotorch/modules/laboratory/physical_system.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/modules/stage.h>

#include <memory>
#include <vector>

namespace optotorch {

/// How measured intensities enter the numerical model, F = |P| exp(i arg S).
enum class Fusion {
  propagate,  ///< the next stage's model starts from F: every slope is taken where the hardware is
  in_place,  ///< only what the pull-back reads is F, as the code of arXiv 2212.06141 does it; the next stage's
             ///< model starts from S
};

/// Options for PhysicalNetwork: PhysicalNetworkOptions(64).meshes(3).activation(layer), or
/// PhysicalNetworkOptions().between({layer, nullptr}) of stages that are there already.
struct PhysicalNetworkOptions {
  PhysicalNetworkOptions() : mesh_(2) {}
  /// Meshes of `ports` ports, with defaults for all other options.
  PhysicalNetworkOptions(int64_t ports) : mesh_(ports) {}  // NOLINT(google-explicit-constructor)
  /// Meshes of this design.
  PhysicalNetworkOptions(MziMeshOptions mesh) : mesh_(mesh) {}  // NOLINT(google-explicit-constructor)

  /// The design of each mesh, of a network that makes its meshes itself: what the numerical model is. Not
  /// `imperfect`: nobody knows the errors.
  TORCH_ARG(MziMeshOptions, mesh);
  /// Number of meshes in a row: that of the system's stages.
  TORCH_ARG(int64_t, meshes) = 1;
  /// The model of what stands between every two stages, a layer without parameters; nullptr: nothing.
  TORCH_ARG(std::shared_ptr<Layer>, activation) = nullptr;
  /// The same where it is not the same everywhere: one for every two stages.
  TORCH_ARG(std::vector<std::shared_ptr<Layer>>, between) = {};
  /// Reading of the intensities behind a last stage that delivers a field: Detection::amplitude or
  /// Detection::intensity. Real values are delivered as they are.
  TORCH_ARG(Detection, detection) = Detection::amplitude;
  /// True if the readings of monitors enter the model, where there are any.
  TORCH_ARG(bool, internal_states) = true;
  /// Way in which those readings enter the model.
  TORCH_ARG(Fusion, fusion) = Fusion::propagate;
};

/// Stages in the laboratory, what stands between them, and the detectors behind the last: [batch, input...]
/// -> real [batch, output...]. Its parameters are those of the stages' numerical models, of meshes
/// "0.theta", "0.phi", "0.gamma", "1.theta" ..., initially Haar-random. They are what is commanded; what the
/// system makes of them it keeps for itself.
///
///     forward:      h = sqrt(I_N + 1e-8) or I_N,  I_n = |P_n|^2 measured at the commands; of real values P_N
///     model:        S_n = correction_n(x_n, stage_n),  F_n = |P_n| exp(i arg S_n) (of real values P_n) where
///                   it is measured, else S_n,  x_{n+1} = f_n(F_n)
///     pullback:     of the model, with every slope taken at F_n and the signal handed from F_n to S_n as is
///     tpfp_update:  of a single stage: the signal S at its output, of a mesh dL_dtheta = Re tr((S x^H)^H
///                   dW/dtheta)
///
/// No update asks the system for anything. Without corrections S = U = W x, and the pull-back is
/// physics-aware training (Wright et al., Nature 601, 549, 2022), layer-wise if internal states are measured;
/// with corrections it is dual adaptive training (Zheng et al., arXiv 2212.06141).
///
/// In eval mode forward measures as well. It cannot be deployed: `deploy` throws. Copies made by clone() have
/// commands of their own and share the system and the corrections; the system is sent those of the copy that
/// measures.
class PhysicalNetworkImpl : public CloneableLayer<PhysicalNetworkImpl> {
 public:
  /// A network of meshes that it makes. Throws c10::ValueError if the system is missing, of other stages
  /// than the options say, or with something else between them, and for other kinds of detection.
  PhysicalNetworkImpl(std::shared_ptr<PhysicalSystem> system, PhysicalNetworkOptions options);
  /// A network of stages that are there already, whose parameters become its own; of `options` neither mesh
  /// nor the number of meshes counts.
  PhysicalNetworkImpl(std::shared_ptr<PhysicalSystem> system, std::vector<std::shared_ptr<Stage>> stages,
                      PhysicalNetworkOptions options = {});

  Role role() const override { return Role::component; }
  /// Light sent backwards through the nominal stage; for a single one alone.
  Adjoint adjoint(const torch::Tensor& x) const override;
  Deployment deploy() override;
  Footprint footprint() const override;
  Traversal traversal(const Pass& pass) const override;
  void pretty_print(std::ostream& stream) const override;
  /// `signal`, [batch, output...], real or complex, stands at the stage's output, of a mesh its *field*.
  torch::Tensor tpfp_update(const Pass& pass, const torch::Tensor& signal, bool to_input) override;

  /// The error-free stages at the commands: their parameters are this layer's.
  const std::vector<std::shared_ptr<Stage>>& stages() const { return stages_; }
  /// The system in the laboratory, which clones share.
  const std::shared_ptr<PhysicalSystem>& system() const { return system_; }

  /// Commands the parameters of stages that were trained numerically. Throws c10::ValueError, with nothing
  /// changed, if they are others in number or design, or if only one of two meshes has a screen. Errors of
  /// imperfect meshes are not copied.
  void copy_commands(const std::vector<const Stage*>& stages);

  /// Corrects each stage's model; none at first. Throws c10::ValueError unless there is one a stage.
  void set_corrections(std::vector<std::shared_ptr<Correction>> corrections);
  /// Corrections of the stages' models, one per stage; empty if there are none.
  const std::vector<std::shared_ptr<Correction>>& corrections() const { return corrections_; }

  /// c of all corrections, 0 to 1.
  double strength = 1;

  /// The model's pass through one stage.
  struct State {
    Prediction prediction;  ///< S_n from x_n
    Pass through;           ///< the stage's own pass, where nothing corrects it
    torch::Tensor fused;    ///< F_n
    torch::Tensor next;     ///< x_{n+1}; undefined behind the last stage
  };

  /// The model for x with readings of the system: for nullptr the corrected model alone, F_n = S_n. If
  /// `separable`, every stage's model starts from the measured state before it, whatever the options say.
  std::vector<State> model(const torch::Tensor& x, const Readings* readings, bool separable = false) const;

  /// forward with its readings and no model yet, which `with_model` adds, or runs again after corrections
  /// have learnt. Of a pass whose last reading is undefined the output is the model's.
  Pass measure(const torch::Tensor& x);
  /// Readings that such a pass holds.
  Readings readings_of(const Pass& pass) const;
  /// Returns the pass with its model at the present commands and corrections, as a pull-back needs it.
  Pass with_model(const Pass& pass) const;
  /// forward, for a pull-back through the system itself instead of a model. Throws c10::ValueError for a system that is
  /// no TransparentSystem (transparent_system.h).
  Pass through_system(const torch::Tensor& x);

  /// dL_dS_n of every stage (undefined: none) through the corrected model alone to what `learns`.
  void pullback_model(const std::vector<State>& states, const std::vector<torch::Tensor>& dL_ds,
                      Correction::Learns learns) const;

  /// The options it was made from.
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

  /// The output for a reading behind the last stage; its slope times dL_dy, at output h.
  torch::Tensor delivered(const torch::Tensor& reading) const;
  torch::Tensor slope(const torch::Tensor& h, const torch::Tensor& dL_dy) const;
  torch::Tensor pull_through_system(const Pass& pass, const torch::Tensor& dL_dy) const;
  void check_single(const char* argument) const;
  bool delivers_field() const { return system_->stages().back().delivers_field; }

  std::shared_ptr<PhysicalSystem> system_;
  std::vector<std::shared_ptr<Stage>> stages_;
  std::vector<std::shared_ptr<Layer>> between_;
  std::vector<std::shared_ptr<Correction>> corrections_;
};

TORCH_MODULE(PhysicalNetwork);

}  // namespace optotorch
