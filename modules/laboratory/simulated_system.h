#pragma once

#include <optotorch/modules/laboratory/chips/chip.h>
#include <optotorch/modules/laboratory/physical_system.h>
#include <optotorch/modules/layer.h>
#include <torch/arg.h>

#include <memory>
#include <vector>

namespace optotorch {

/// Options for SimulatedSystem.
struct SimulatedSystemOptions {
  /// The optics between two chips, a nonlinearity without parameters that keeps the ports; nullptr: none.
  TORCH_ARG(std::shared_ptr<Layer>, activation) = nullptr;
  /// Intensities behind every chip can be read, by monitors that take no light.
  TORCH_ARG(bool, monitors) = false;
};

/// A physical system that is one simulated chip or several in a row, whose errors nobody can ask for.
///
///     P_n = W_n(realised phases and errors) f(P_{n-1}),     I_n = |P_n|^2, read with the chip's noise
///
/// Noise is a function of each chip's seed and of the number of the sample (the count `measurements()`): a
/// batch that is measured in parts is read like the whole. The count is not part of checkpoints, so that a
/// run with noise that is resumed meets other noise, as in a laboratory.
class SimulatedSystem : public PhysicalSystem {
 public:
  explicit SimulatedSystem(Chip chip);
  SimulatedSystem(std::vector<Chip> chips, const SimulatedSystemOptions& options = {});

  /// Moves all chips to this time (Chip::at): the next measurement meets their errors of then. What was
  /// commanded stays. Throws c10::ValueError, with nothing moved, for hours out of 0 to 10,000.
  void set_time(double hours);

  /// The time of the first chip, and of the others too once it was set.
  double hours() const { return chips_.front().hours(); }

  BetweenMeshes between() const override { return between_meshes(activation_.get()); }

 protected:
  void command(const std::vector<MeshPhases>& phases) override;
  std::vector<at::Tensor> read(const at::Tensor& x) override;

 private:
  void realise(const at::TensorOptions& options);

  std::vector<Chip> chips_;
  std::shared_ptr<Layer> activation_;
  std::vector<MeshPhases> commanded_;
  std::vector<ops::MeshTensors> realised_;  ///< in the type and on the device of the last x; empty if stale
};

}  // namespace optotorch
