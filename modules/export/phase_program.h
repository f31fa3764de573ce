#pragma once

// A network's optics for whoever drives the chip: every command, in radians and as what the hardware is given.

#include <optotorch/modules/hybrid.h>

#include <map>
#include <memory>
#include <string>

namespace optotorch {

/// How a kind of command becomes what hardware is given: one element after the other, none knows of the others.
class Calibration {
 public:
  virtual ~Calibration() = default;
  /// Unit of what is given: "mW", "DAC code".
  virtual std::string unit() const = 0;
  /// What gives the commands' values, float64 of their shape. Throws c10::ValueError, naming `what` and the first
  /// element, for values that the hardware can't reach.
  virtual torch::Tensor given_for(const torch::Tensor& values, const std::string& what) const = 0;
};

/// Calibrations by name of a command ("theta"), from a JSON file:
///
///     {"format": "optotorch-calibration-1", "commands": {
///        "theta": {"kind": "heater", "p_pi_mw": 25, "offset": "theta_at_zero.npy", "most_mw": 60,
///                  "resistance_ohm": 500, "full_scale_v": 5, "bits": 12},
///        "phi":   {"kind": "curve", "unit": "V", "given": [0, 1, 2, 3], "values": [0.1, 0.9, 3.2, 6.5]}}}
///
/// A heater's phase is offset + pi P / p_pi, P from 0 to most_mw, mod 2 pi: the smallest power that gives it is taken.
/// With resistance, full scale and bits it is given as a converter's code, round(sqrt(P R) / full_scale (2^bits - 1)).
/// p_pi_mw and offset (0 if it is left out) are numbers, or .npy files beside the table of the command's shape. A
/// curve is a measured table, its values rising, read by linear interpolation; with "period" a value is moved by
/// whole periods to where the curve first has it.
class CalibrationTable {
 public:
  /// Throws c10::ValueError for a file that is none: unknown kinds and fields, numbers out of their ranges, curves that
  /// do not rise.
  static CalibrationTable read(const std::string& path);

  /// The calibration; nullptr for a command that the table does not have.
  const Calibration* find(const std::string& command) const;

 private:
  std::map<std::string, std::shared_ptr<const Calibration>> calibrations_;
};

/// Writes the commands of every stage (stage.h) of a network into a folder that is new or empty: `program.json`, which
/// lists stages in the order of light with type, options and commands (file, shape, unit), and one .npy a command,
/// `stage0_theta.npy`; of those that the table calibrates also `stage0_theta_given.npy`, float64 (codes are whole
/// numbers). Phases are written as they are, not mod 2 pi. Returns the number of stages. Throws c10::ValueError, with
/// nothing written, for a network without stages, a folder that holds something, and commands that the hardware can't
/// reach.
int64_t export_phase_program(const HybridImpl& model, const std::string& folder,
                             const CalibrationTable* calibration = nullptr);

}  // namespace optotorch
