#pragma once

#include <ATen/core/Tensor.h>
#include <optotorch/mesh/mesh_phases.h>
#include <optotorch/modules/stage.h>
#include <optotorch/ops/mesh_layout.h>

#include <cstdint>
#include <string>
#include <vector>

namespace optotorch {

/// A system's output, real [batch, output...]: intensities behind a stage that delivers a field, else
/// values as they are.
struct Readings {
  /// Readings behind every stage; undefined where the hardware has no monitor. The last is always there.
  std::vector<at::Tensor> behind;

  /// Readings behind the last stage.
  const at::Tensor& output() const { return behind.back(); }
};

/// Stages in a row, as a laboratory has them: each is commanded, light goes in and through all of them (and
/// through what stands between them), readings come out of the last, and of those before it where there are
/// monitors. Nobody learns more from it: no gradients, no phases of light, no errors. Rules that train in
/// situ see only this.
///
/// Simulated stages are one implementation (simulated_system.h), an instrument behind a cable another
/// (remote_system.h): it implements `command` and `read`. Checks and counts stand in the public functions and
/// nowhere else. Not to be called by two threads at once.
class PhysicalSystem {
 public:
  /// The designs that were sent to the foundry; what was built may differ. `monitors`: what is behind every
  /// stage can be read. Throws c10::ValueError for no stages, and for wrong ones (check_design).
  explicit PhysicalSystem(std::vector<StageDesign> stages, bool monitors = false);
  /// A system of meshes, all of the same ports.
  explicit PhysicalSystem(const std::vector<MeshLayout>& layouts, bool monitors = false);
  virtual ~PhysicalSystem() = default;
  PhysicalSystem(const PhysicalSystem&) = delete;
  PhysicalSystem& operator=(const PhysicalSystem&) = delete;
  PhysicalSystem(PhysicalSystem&&) = delete;
  PhysicalSystem& operator=(PhysicalSystem&&) = delete;

  /// Designs of the stages, in the order in which light passes them.
  const std::vector<StageDesign>& stages() const { return stages_; }
  /// True if every stage can be read, not only the last.
  bool has_monitors() const { return monitors_; }

  /// Descriptions of the layers between every two stages (between.h); empty if nobody says. PhysicalNetwork
  /// compares its model with it.
  virtual std::vector<std::string> between() const { return {}; }

  /// Commands every stage, by float32 or float64 tensors of the names and shapes that its design says. What
  /// the system has already is not sent again. Throws c10::ValueError, with nothing sent, for other names,
  /// shapes or types and for values that are not finite.
  void set_commands(const std::vector<Values>& commands);
  /// The same of a system of meshes.
  void set_phases(const std::vector<MeshPhases>& phases);

  /// Readings of x, what the first stage takes: a field complex64 or complex128, or values float32 or
  /// float64, [batch, input...]. They come in the precision of x and on its device; noise may make
  /// intensities negative. Throws c10::ValueError before commands are set, for an x of another shape or
  /// type, for values that are not finite, and if the implementation returns something else than finite
  /// readings of its shapes; an error says which stage, sample and port. After an error of the
  /// implementation's `read` nobody knows what became of the commands: they must be set again, and are sent
  /// in any case.
  Readings measure(const at::Tensor& x);

  /// Samples measured so far.
  int64_t measurements() const { return measurements_; }

  /// How often commands were sent.
  int64_t commands() const { return commands_; }

 protected:
  /// Sets all stages: float64 on the CPU, copies that nobody else holds.
  virtual void command(const std::vector<Values>& commands) = 0;

  /// Readings of x, without a graph, real [batch, output...] of any floating type: behind every stage if
  /// there are monitors, else behind the last only.
  virtual std::vector<at::Tensor> read(const at::Tensor& x) = 0;

  /// Throws c10::ValueError unless the reading `number` of `read` is finite. `first`: the sample that it
  /// begins with, if it is a part of the batch.
  void check_reading(size_t number, const at::Tensor& reading, int64_t first = 0) const;

 private:
  std::vector<StageDesign> stages_;
  bool monitors_;
  std::vector<Values> commands_set_;  ///< as last sent; empty if unknown
  int64_t measurements_ = 0, commands_ = 0, batches_ = 0;
};

/// Phases as a mesh's commands.
Values commands_of(const MeshPhases& phases);

}  // namespace optotorch
