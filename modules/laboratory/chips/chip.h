#pragma once

#include <ATen/core/Tensor.h>
#include <optotorch/modules/laboratory/chips/imperfections.h>
#include <optotorch/ops/mzi_mesh.h>

#include <cstdint>

namespace optotorch {

/// The static errors of one mesh, float64.
struct ChipTensors {
  at::Tensor theta_offset;    ///< [mzis], rad, added to the commanded theta
  at::Tensor phi_offset;      ///< [mzis], rad, added to the commanded phi
  at::Tensor splitter_error;  ///< [mzis, 2], columns e_l, e_r in [-1, 1]
  at::Tensor transmission;    ///< [mzis, 2], amplitudes t_u, t_l in (0, 1]
};

/// Readings number first_sample to first_sample + batch - 1 from ideal ones [batch, ...], by the noise of
/// `imperfections`: a pure function of seed, stream and the number of the sample.
at::Tensor noisy_readings(const at::Tensor& ideal, Imperfections imperfections, int64_t seed, uint64_t stream,
                          int64_t first_sample);

/// One fabricated mesh at one time: a frozen realisation of Imperfections.
///
///     e_l, e_r = clamp(splitter_error xi, -1, 1)         theta, phi offsets = phase_error xi
///     t_u = t_l = 10^(-loss_db / 20)                     xi ~ N(0, 1)
///     theta, phi = heater_phases(commanded) + offset + drift W(hours)        (heaters.h, drift.h)
///
/// The screen gamma has no error: it is neither wrapped nor quantised, and takes no part in crosstalk and
/// drift.
///
/// xi is a pure function of the seed and the number of the MZI: chips of one seed and different sigma have
/// the same errors in different size. So is the path W, of the time besides.
class Chip {
 public:
  /// Throws c10::ValueError for a wrong layout and for imperfections out of their ranges.
  Chip(const MeshLayout& layout, const Imperfections& imperfections, int64_t seed);

  /// A chip whose static errors are known, e.g. published ones. Of `imperfections` crosstalk, phase_bits,
  /// drift and noise are used; `seed` is that of drift and noise.
  /// Throws c10::ValueError for values out of the ranges above, wrong shapes, and types other than float64.
  Chip(const MeshLayout& layout, const ChipTensors& tensors, const Imperfections& imperfections = {},
       int64_t seed = 0);

  /// The same chip `hours` (0 to 10,000) after it was made, with the errors of that time: a pure function of
  /// the seed and `hours`, whatever the time of this one. Throws c10::ValueError for other hours.
  Chip at(double hours) const;

  /// Layout of the mesh.
  const MeshLayout& layout() const { return layout_; }
  /// Imperfections that it was made with; static errors that were given do not depend on them.
  const Imperfections& imperfections() const { return imperfections_; }

  /// Seed of noise and drift, and of the static errors if they were drawn.
  int64_t seed() const { return seed_; }

  /// The chip's time: 0 if it does not come from `at`.
  double hours() const { return hours_; }

  /// The static errors. Copies: a chip does not change.
  ChipTensors tensors() const;

  /// The commanded theta, phi and screen as they are on the chip, in their type and on their device: input of
  /// ops::mzi_mesh. Commanded errors and transmissions are not looked at.
  ops::MeshTensors realise(const ops::MeshTensors& commanded) const;

  /// Readings number first_sample to first_sample + batch - 1 from intensities [batch, ports], by the noise
  /// of `imperfections`: a pure function of the seed and the number of the sample.
  at::Tensor read_out(const at::Tensor& intensity, int64_t first_sample) const;

 private:
  MeshLayout layout_;
  Imperfections imperfections_;
  int64_t seed_ = 0;
  double hours_ = 0;
  ChipTensors tensors_;
  at::Tensor drift_;  ///< [mzis, 2], what theta and phi are off by at `hours_`; undefined: nothing
};

}  // namespace optotorch
