#pragma once

#include <optotorch/modules/chip.h>
#include <optotorch/modules/physical_system.h>

namespace optotorch {

/// A physical system that is a simulated chip, whose errors nobody can ask for.
///
///     I = |W(realised phases and errors) x|^2, read with the chip's noise
///
/// Noise is a function of the chip's seed and of the number of the sample (the count `measurements()`): a
/// batch that is measured in parts is read like the whole. The count is not part of checkpoints, so that a
/// run with noise that is resumed meets other noise, as in a laboratory.
class SimulatedSystem : public PhysicalSystem {
 public:
  explicit SimulatedSystem(Chip chip);

 protected:
  void command(const at::Tensor& theta, const at::Tensor& phi, const at::Tensor& gamma) override;
  at::Tensor read(const at::Tensor& x) override;

 private:
  Chip chip_;
  ops::MeshTensors commanded_;
  ops::MeshTensors realised_;  ///< in the type and on the device of the last x; theta is undefined if stale
};

}  // namespace optotorch
