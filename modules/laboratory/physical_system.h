#pragma once

#include <ATen/core/Tensor.h>
#include <optotorch/mesh/mesh_phases.h>
#include <optotorch/modules/laboratory/between_meshes.h>
#include <optotorch/ops/mesh_layout.h>

#include <cstdint>
#include <vector>

namespace optotorch {

/// Intensities that a system delivers, real [batch, ports].
struct Readings {
  /// Behind every mesh; undefined where the hardware has no monitor. The last is there always.
  std::vector<at::Tensor> behind;

  const at::Tensor& output() const { return behind.back(); }
};

/// Meshes of Mach-Zehnder interferometers in a row, as a laboratory has them: phases are commanded, light
/// goes in and through all of them (and through what optics stand between them), intensities come out of the
/// last, and of those before it where there are monitors. Nobody learns more from it: no gradients, no phases
/// of light, no errors. Rules that train in situ see only this.
///
/// A simulated chip is one implementation (simulated_system.h), an instrument behind a cable another
/// (remote_system.h): it implements `command` and `read`. Checks and counts stand in the public functions and
/// nowhere else. Not to be called by two threads at once.
class PhysicalSystem {
 public:
  /// `layouts` are the designs that were sent to the foundry; what was built may differ. `monitors`:
  /// intensities behind every mesh can be read. Throws c10::ValueError for no layouts, wrong ones, or other ports than
  /// the first's.
  explicit PhysicalSystem(std::vector<MeshLayout> layouts, bool monitors = false);
  virtual ~PhysicalSystem() = default;
  PhysicalSystem(const PhysicalSystem&) = delete;
  PhysicalSystem& operator=(const PhysicalSystem&) = delete;
  PhysicalSystem(PhysicalSystem&&) = delete;
  PhysicalSystem& operator=(PhysicalSystem&&) = delete;

  const std::vector<MeshLayout>& layouts() const { return layouts_; }
  int64_t ports() const { return layouts_.front().ports; }
  bool has_monitors() const { return monitors_; }

  /// The optics between two meshes, if they are known. PhysicalNetwork compares its model with them.
  virtual BetweenMeshes between() const { return {}; }

  /// Commands the phases of every mesh, float32 or float64. What the system has already is not sent again.
  /// Throws c10::ValueError, with nothing sent, for other shapes or types and for values that are not finite.
  void set_phases(const std::vector<MeshPhases>& phases);

  /// Intensities of the fields x, complex64 or complex128 [batch, ports], in the precision of x and on its
  /// device. Noise may make them negative. Throws c10::ValueError before phases are set, for an x of another
  /// shape or type, for values that are not finite, and if the implementation returns something else than
  /// finite intensities of that shape; an error says which mesh, sample and port. After an error of the
  /// implementation's `read` nobody knows what became of the phases: they must be set again, and are sent in
  /// any case.
  Readings measure(const at::Tensor& x);

  /// Samples measured so far.
  int64_t measurements() const { return measurements_; }

  /// How often phases were sent.
  int64_t commands() const { return commands_; }

 protected:
  /// Sets the phases: float64 on the CPU, copies that nobody else holds.
  virtual void command(const std::vector<MeshPhases>& phases) = 0;

  /// Intensities of x [batch, ports], without a graph, real [batch, ports] of any floating type: behind every
  /// mesh if there are monitors, else behind the last only.
  virtual std::vector<at::Tensor> read(const at::Tensor& x) = 0;

  /// Throws c10::ValueError unless the reading `number` of `read` is finite. `first`: the sample that it
  /// begins with, if it is a part of the batch.
  void check_reading(size_t number, const at::Tensor& intensity, int64_t first = 0) const;

 private:
  std::vector<MeshLayout> layouts_;
  bool monitors_;
  std::vector<MeshPhases> phases_;  ///< as last sent; empty if unknown
  int64_t measurements_ = 0, commands_ = 0, batches_ = 0;
};

}  // namespace optotorch
