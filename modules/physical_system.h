#pragma once

#include <ATen/core/Tensor.h>
#include <optotorch/ops/mesh_layout.h>

#include <cstdint>

namespace optotorch {

/// A mesh of Mach-Zehnder interferometers with a detector on every port, as a laboratory has it: phases are
/// commanded, light goes in, intensities come out. Nobody learns more from it: no gradients, no phases of
/// light, no errors. Rules that train in situ see only this.
///
/// A simulated chip is one implementation (simulated_system.h), an instrument behind a cable another: it
/// implements `command` and `read`. Checks and counts stand in the public functions and nowhere else. Not to
/// be called by two threads at once.
class PhysicalSystem {
 public:
  /// `layout` is the design that was sent to the foundry; what was built may differ. Throws c10::ValueError
  /// for a wrong layout.
  explicit PhysicalSystem(const MeshLayout& layout);
  virtual ~PhysicalSystem() = default;
  PhysicalSystem(const PhysicalSystem&) = delete;
  PhysicalSystem& operator=(const PhysicalSystem&) = delete;
  PhysicalSystem(PhysicalSystem&&) = delete;
  PhysicalSystem& operator=(PhysicalSystem&&) = delete;

  const MeshLayout& layout() const { return layout_; }
  int64_t ports() const { return layout_.ports; }

  /// Commands theta [mzis], phi [mzis] and the screen gamma [ports] (undefined: none), in radians; float32 or
  /// float64. Phases that the system has already are not sent again. Throws c10::ValueError, with nothing
  /// sent, for other shapes or types and for values that are not finite.
  void set_phases(const at::Tensor& theta, const at::Tensor& phi, const at::Tensor& gamma = {});

  /// Intensities, real [batch, ports], of the fields x, complex64 or complex128 [batch, ports], in the
  /// precision of x and on its device. Noise may make them negative. Throws c10::ValueError before phases are
  /// set, for an x of another shape or type, for values that are not finite, and if the implementation
  /// returns something else than finite intensities of that shape.
  at::Tensor measure(const at::Tensor& x);

  /// Samples measured so far.
  int64_t measurements() const { return measurements_; }

  /// How often phases were sent.
  int64_t commands() const { return commands_; }

 protected:
  /// Sets the phases: float64 on the CPU, copies that nobody else holds; gamma is undefined if there is none.
  virtual void command(const at::Tensor& theta, const at::Tensor& phi, const at::Tensor& gamma) = 0;

  /// Intensities of x [batch, ports], without a graph, real [batch, ports] of any floating type.
  virtual at::Tensor read(const at::Tensor& x) = 0;

 private:
  MeshLayout layout_;
  at::Tensor theta_, phi_, gamma_;  ///< as last sent
  int64_t measurements_ = 0, commands_ = 0;
};

}  // namespace optotorch
