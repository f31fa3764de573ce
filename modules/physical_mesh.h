#pragma once

#include <optotorch/modules/mzi_mesh.h>
#include <optotorch/modules/photodetector.h>
#include <optotorch/modules/physical_system.h>

#include <memory>

namespace optotorch {

/// Options for PhysicalMesh: PhysicalMeshOptions(64) or
/// PhysicalMeshOptions(MziMeshOptions(64).screen(false)).
struct PhysicalMeshOptions {
  PhysicalMeshOptions(int64_t ports) : mesh_(ports) {}       // NOLINT(google-explicit-constructor)
  PhysicalMeshOptions(MziMeshOptions mesh) : mesh_(mesh) {}  // NOLINT(google-explicit-constructor)

  /// The design of the mesh: what the numerical model is. Not `imperfect`: nobody knows the errors.
  TORCH_ARG(MziMeshOptions, mesh);
  /// What becomes of the intensities: Detection::amplitude or Detection::intensity.
  TORCH_ARG(Detection, detection) = Detection::amplitude;
};

/// A mesh in the laboratory and its detectors: field [batch, ports] -> real [batch, ports]. It stands in a
/// Hybrid where MziMesh and Photodetector would, and has the parameters of MziMesh: `theta`, `phi`, `gamma`,
/// initially Haar-random. They are what is commanded; what the system makes of them it keeps for itself.
///
///     forward:      h = sqrt(I + 1e-8) or I,  I measured at the commanded phases
///     tpfp_update:  S at the mesh's output:  dL_dtheta = Re tr((S x^H)^H dW/dtheta)
///     pullback:     S = dL_dh dh/d|z| exp(i arg W x),  |z| as measured
///
/// W is the numerical model, the error-free mesh of the commanded phases, and x the known input: no update
/// asks the system for anything. pullback is physics-aware training, Wright et al., Nature 601, 549 (2022).
///
/// In eval mode forward measures as well. It cannot be deployed: `deploy` throws. Copies made by clone()
/// have phases of their own and share the system, which is sent the phases of the one that measures.
class PhysicalMeshImpl : public CloneableLayer<PhysicalMeshImpl> {
 public:
  /// Throws c10::ValueError if the system is missing or of another layout than the options say, and for other
  /// kinds of detection.
  PhysicalMeshImpl(std::shared_ptr<PhysicalSystem> system, PhysicalMeshOptions options);

  Role role() const override { return Role::component; }
  /// Of the model: light sent backwards through the nominal mesh.
  Adjoint adjoint(const torch::Tensor& x) const override;
  Deployment deploy() override;
  int64_t mzi_count() const override { return model_->mzi_count(); }
  void pretty_print(std::ostream& stream) const override;

  /// `signal`, [batch, ports], real or complex, stands at the mesh's output *field*.
  torch::Tensor tpfp_update(const Pass& pass, const torch::Tensor& signal, bool to_input) override;

  /// Commands the phases of a mesh that was trained numerically. Throws c10::ValueError, with nothing
  /// changed, if it has another layout or only one of the two has a screen. Its errors, if it is imperfect,
  /// are not copied.
  void copy_phases(const MziMeshImpl& mesh);

  /// The error-free mesh of the commanded phases: its parameters are this layer's.
  MziMesh model() const { return model_; }

  const std::shared_ptr<PhysicalSystem>& system() const { return system_; }

  PhysicalMeshOptions options;
  torch::Tensor theta, phi, gamma;

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, std::vector<torch::Tensor>* saved) override;
  torch::Tensor evaluate(const torch::Tensor& x) override { return compute(x, nullptr); }
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;

 private:
  friend class CloneableLayer<PhysicalMeshImpl>;
  std::shared_ptr<PhysicalMeshImpl> remake() const {
    return std::make_shared<PhysicalMeshImpl>(system_, options);
  }

  std::shared_ptr<PhysicalSystem> system_;
  MziMesh model_{nullptr};
};

TORCH_MODULE(PhysicalMesh);

}  // namespace optotorch
