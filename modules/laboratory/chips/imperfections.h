#pragma once

#include <torch/arg.h>

#include <cstdint>
#include <string>
#include <vector>

namespace optotorch {

/// How large the imperfections of a fabricated mesh are:
/// `Imperfections().splitter_error(.04).phase_error(.04)`. With a seed it makes a Chip (chip.h). The defaults
/// are a perfect chip.
///
/// Splitter and phase errors are the model of Zheng et al., arXiv 2212.06141. The phase screen gamma has no
/// imperfection of any kind.
struct Imperfections {
  /// Standard deviation of the splitter errors e_l, e_r (ops/mzi_mesh.h): 0 to 1.
  TORCH_ARG(double, splitter_error) = 0;
  /// Standard deviation, in radians, of what is added to every theta and phi: 0 to 100.
  TORCH_ARG(double, phase_error) = 0;
  /// Standard deviation of the resonances of a weight bank's rings, in half linewidths: 0 to 100.
  TORCH_ARG(double, resonance_error) = 0;
  /// Relative standard deviation of the widths of spectral filters, whose resonances are `resonance_error` half widths
  /// off: 0 to 10.
  TORCH_ARG(double, width_error) = 0;
  /// Standard deviation of the smooth aberration of a diffractive plane (DiffractiveLayer), in radians, root mean
  /// square over the plane: 0 to 100.
  TORCH_ARG(double, aberration) = 0;
  /// Standard deviation of a diffractive plane's offset, down and to the right, in pixels: 0 to 1000.
  TORCH_ARG(double, offset_error) = 0;
  /// Standard deviation of a diffractive plane's rotation about its middle, in radians: 0 to 1.
  TORCH_ARG(double, rotation_error) = 0;
  /// Standard deviation of a diffractive plane's tilt along either axis, in radians: 0 to 1.
  TORCH_ARG(double, tilt_error) = 0;
  /// Relative standard deviation of the distance behind a diffractive plane: 0 to .5.
  TORCH_ARG(double, distance_error) = 0;
  /// Standard deviation of a diffractive plane's relative gain error, phase += gain p: 0 to 1.
  TORCH_ARG(double, gain_error) = 0;
  /// Standard deviation of both terms of the curve of a diffractive plane's phases, in radians: 0 to 1.
  TORCH_ARG(double, curve_error) = 0;
  /// Amplitude that a modulator loses at a phase of pi: 0 to 1.
  TORCH_ARG(double, amplitude_coupling) = 0;
  /// Loss of power in each inner arm of each MZI, or in a bus at each ring, in decibels: 0 to 100.
  TORCH_ARG(double, loss_db) = 0;

  // Fate of the commanded phases (heaters.h).

  /// Part of a heater's phase that leaks to the MZI above and to the one below in its column, theta to theta
  /// and phi to phi: phase_i += crosstalk sum_{neighbours j} phase_j. 0 to 0.5.
  TORCH_ARG(double, crosstalk) = 0;
  /// n: the driver knows the phases 2 pi k / 2^n, of phi k < 2^n, of theta k < 2^(n + 1), and takes the
  /// nearest. 0: any phase. 0 to 24.
  TORCH_ARG(int64_t, phase_bits) = 0;
  /// Every theta and phi wanders from where it was at hour 0: drift W(hours), W a Wiener process (drift.h).
  /// Radians per square root of an hour: 0 to 100.
  TORCH_ARG(double, drift) = 0;
  /// Every error of a stage that is no mesh wanders likewise: size (xi + error_drift W(hours)), within the error's
  /// range (built_stage.h). Parts of the error's size per square root of an hour: 0 to 100.
  TORCH_ARG(double, error_drift) = 0;

  // Noise of every reading of an intensity I: I (1 + relative_noise xi_1) + additive_noise xi_2, with
  // xi ~ N(0, 1). A reading may be negative.

  /// Standard deviation as a part of the intensity: 0 to 1e6.
  TORCH_ARG(double, relative_noise) = 0;
  /// Standard deviation in units of intensity: 0 to 1e6.
  TORCH_ARG(double, additive_noise) = 0;
};

/// An imperfection that is a real number, for whoever goes through all of them by name.
struct ImperfectionField {
  const char* name;                            ///< name of the option: "phase_error"
  double& (Imperfections::*value)() noexcept;  ///< accessor of the option, to read or to set it
  double most;                                 ///< upper end of its range, which begins at 0
  bool of_meshes = true;                       ///< true if meshes have it; false: other stages alone
};

/// All but phase_bits.
const std::vector<ImperfectionField>& imperfection_fields();

/// Throws c10::ValueError, in the name of `where`, for a value out of its range above.
void check_imperfections(const std::string& where, Imperfections imperfections);

}  // namespace optotorch
