#pragma once

#include <optotorch/modules/laboratory/chips/built_stage.h>
#include <optotorch/modules/laboratory/physical_system.h>
#include <optotorch/modules/layer.h>
#include <torch/arg.h>

#include <memory>
#include <vector>

namespace optotorch {

/// Options for SimulatedSystem.
struct SimulatedSystemOptions {
  /// The optics between every two stages, a nonlinearity without parameters; nullptr: nothing.
  TORCH_ARG(std::shared_ptr<Layer>, activation) = nullptr;
  /// The same where it is not the same everywhere: one for every two stages.
  TORCH_ARG(std::vector<std::shared_ptr<Layer>>, between) = {};
  /// Light behind every stage can be read, by monitors that take none of it.
  TORCH_ARG(bool, monitors) = false;
};

/// A physical system that is one simulated stage or several in a row, whose errors nobody can ask for.
///
///     P_n = W_n(realised commands and errors) f_n(P_{n-1}),     I_n = |P_n|^2, read with the stage's noise;
///                                                               of a stage that delivers values P_n itself
///
/// Noise is a function of each stage's seed and of the number of the sample (the count `measurements()`): a
/// batch that is measured in parts is read like the whole. The count is not part of checkpoints, so that a
/// run with noise that is resumed meets other noise, as in a laboratory.
class SimulatedSystem : public PhysicalSystem {
 public:
  /// A single mesh, at its chip's time.
  explicit SimulatedSystem(const Chip& chip);
  /// Meshes in a row, each at its chip's time; `hours` is that of the first. Throws as the next constructor does.
  SimulatedSystem(const std::vector<Chip>& chips, const SimulatedSystemOptions& options = {});
  /// Throws c10::ValueError for no stages, and for another number of layers between them.
  explicit SimulatedSystem(std::vector<std::shared_ptr<BuiltStage>> stages,
                           const SimulatedSystemOptions& options = {});

  /// Moves all stages to this time (Chip::at): the next measurement meets their errors of then. What was
  /// commanded stays. Throws c10::ValueError, with nothing moved, for hours out of 0 to 10,000.
  void set_time(double hours);

  /// The time that was set; 0 before.
  double hours() const { return hours_; }

  std::vector<std::string> between() const override;

 protected:
  void command(const std::vector<Values>& commands) override;
  std::vector<at::Tensor> read(const at::Tensor& x) override;

 private:
  std::vector<std::shared_ptr<BuiltStage>> stages_;
  std::vector<std::shared_ptr<Layer>> between_;
  std::vector<Values> commanded_;
  double hours_ = 0;
};

}  // namespace optotorch
