#pragma once

#include <optotorch/core/safetensors.h>
#include <optotorch/modules/laboratory/chips/chip.h>
#include <optotorch/modules/stage.h>

#include <memory>
#include <string>

namespace optotorch {

/// A stage as it was built, in a simulation. Of what is in it a SimulatedSystem shows its design and
/// readings.
class BuiltStage {
 public:
  BuiltStage() = default;
  BuiltStage(const BuiltStage&) = delete;
  BuiltStage& operator=(const BuiltStage&) = delete;
  virtual ~BuiltStage() = default;

  /// The design that it was built to.
  virtual const StageDesign& design() const = 0;

  /// Sets it; float64 on the CPU, as the design says.
  virtual void command(const Values& commands) = 0;

  /// Its output for x [batch, input...], in the precision of x and on its device.
  virtual torch::Tensor respond(const torch::Tensor& x) = 0;

  /// Readings number first_sample to first_sample + batch - 1, from intensities or values [batch, output...].
  virtual torch::Tensor read_out(const torch::Tensor& ideal, int64_t first_sample) const = 0;

  /// The same at another time (Chip::at).
  virtual std::shared_ptr<BuiltStage> at(double hours) const = 0;

  /// Its errors, float64, by the names of Stage::errors: for whoever compares a model with the truth.
  virtual Values errors() const = 0;

  /// Writes it for load_stages (stage_file.h), under names that begin with `in`. Throws c10::ValueError: a stage of
  /// another kind than those below says how.
  virtual void save(SafeTensors& content, const std::string& in) const;
};

/// A mesh, with all that a chip may have.
std::shared_ptr<BuiltStage> built(const Chip& chip);

/// Any stage:
///
///     error = size (xi + error_drift W(hours))        within the error's range (StageError)
///
/// with the size that `imperfections` say, xi ~ N(0, 1) or the error's profile, and a Wiener process W for every
/// number of it (drift.h); xi and W are pure functions of the seed. Of a mesh a Chip, likewise. What is no error of
/// the stage, crosstalk, phase_bits and drift of anything but a mesh, is not looked at; noise of readings is. The
/// stage is copied. Throws c10::ValueError for imperfections out of their ranges.
std::shared_ptr<BuiltStage> built(const Stage& stage, const Imperfections& imperfections, int64_t seed);

}  // namespace optotorch
