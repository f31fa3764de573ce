#pragma once

#include <torch/arg.h>

namespace optotorch {

/// How large the imperfections of a fabricated mesh are:
/// `Imperfections().splitter_error(.04).phase_error(.04)`. With a seed it makes a Chip (chip.h). The defaults
/// are a perfect chip.
///
/// Static errors, the model of Zheng et al., arXiv 2212.06141:
struct Imperfections {
  /// Standard deviation of the splitter errors e_l, e_r (ops/mzi_mesh.h): 0 to 1.
  TORCH_ARG(double, splitter_error) = 0;
  /// Standard deviation, in radians, of what is added to every theta and phi: 0 to 100.
  TORCH_ARG(double, phase_error) = 0;
  /// Loss of power in each inner arm of each MZI, in decibels: 0 to 100.
  TORCH_ARG(double, loss_db) = 0;

  // What every reading of an intensity I meets: I (1 + relative_noise xi_1) + additive_noise xi_2, with
  // xi ~ N(0, 1). A reading may be negative.

  /// Standard deviation as a part of the intensity: 0 to 1e6.
  TORCH_ARG(double, relative_noise) = 0;
  /// Standard deviation in units of intensity: 0 to 1e6.
  TORCH_ARG(double, additive_noise) = 0;
};

}  // namespace optotorch
