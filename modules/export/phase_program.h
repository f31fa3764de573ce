#pragma once

// A network's optics for whoever drives the chip: every command, in radians and as what the hardware is given.

#include <optotorch/modules/hybrid.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace optotorch {

/// How a kind of command becomes what hardware is given: one element after the other, none knows of the others.
class Calibration {
 public:
  virtual ~Calibration() = default;
  /// Unit of what is given: "mW", "DAC code".
  virtual std::string unit() const = 0;
  /// What gives the commands' values, float64 of their shape, which mean the same a `period` further (0: they do not).
  /// Throws c10::ValueError, naming `what` and the first element, for values that the hardware can't reach.
  virtual torch::Tensor given_for(const torch::Tensor& values, double period,
                                  const std::string& what) const = 0;
};

/// Calibrations by name of a command ("theta"), from a JSON file:
///
///     {"format": "optotorch-calibration-1", "commands": {
///        "theta": {"kind": "heater", "p_pi_mw": 25, "offset": "theta_at_zero.npy", "most_mw": 60,
///                  "resistance_ohm": 500, "full_scale_v": 5, "bits": 12},
///        "phi":   {"kind": "curve", "unit": "V", "given": [0, 1, 2, 3], "values": [0.1, 0.9, 3.2, 6.5]}}}
///
/// A heater's phase is offset + pi P / p_pi, P from 0 to most_mw. It means the same a period further, 2 pi, but for the
/// theta of an MZI 4 pi (docs/conventions.md): the smallest power that gives it is taken, and 0 up to 1e-6 of a period
/// below. With resistance, full scale and bits it is given as a converter's code,
/// round(sqrt(P R) / full_scale (2^bits - 1)). p_pi_mw and offset (0 if it is left out) are numbers, or .npy files
/// beside the table, of the command's shape. A curve is a measured table, its values rising, read by linear
/// interpolation; angles are moved by whole periods to where the curve first has them.
class CalibrationTable {
 public:
  /// Throws c10::ValueError for a file that is none: unknown kinds and fields, numbers out of their ranges, curves that
  /// do not rise.
  static CalibrationTable read(const std::string& path);

  /// The calibration; nullptr for a command that the table does not have.
  const Calibration* find(const std::string& command) const;
  /// Commands that it has.
  std::vector<std::string> names() const;

 private:
  std::map<std::string, std::shared_ptr<const Calibration>> calibrations_;
};

/// Writes the commands of a network's optics into a folder that is new or empty: those of every stage (stage.h), and
/// the parameters of other layers that have a footprint. `program.json` lists them, in the order in which the network
/// holds them, with type, options and commands (file, shape, unit, period), and there is one .npy a command,
/// `stage0_theta.npy`; of those that the table calibrates also `stage0_theta_given.npy`, float64 (codes are whole
/// numbers). Phases are written as they are. Returns the number of stages. Throws c10::ValueError, with nothing
/// written, for a network without such layers, a folder that holds something, commands that the hardware can't reach,
/// and a calibration of a command that no stage has.
int64_t export_phase_program(const HybridImpl& model, const std::string& folder,
                             const CalibrationTable* calibration = nullptr);

}  // namespace optotorch
