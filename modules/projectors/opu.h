#pragma once

#include <optotorch/modules/projectors/projector.h>
#include <torch/arg.h>

namespace optotorch {

/// How much of an optical processing unit is simulated.
enum class OpuModel {
  ideal,   ///< s = B q
  noisy,   ///< s = B q + sigma |q| xi, xi ~ N(0, 1), |q|^2 the number of values that are shown: for training
  camera,  ///< fields, holography, shot noise, saturation and levels of a camera: what `sigma` stands for
};

/// Options for Opu: OpuOptions(2058, 10).model(OpuModel::camera).photons(1000).
struct OpuOptions {
  /// A camera of `rows` pixels and a modulator of `columns`.
  OpuOptions(int64_t rows, int64_t columns) : rows_(rows), columns_(columns) {}

  /// Pixels of the camera that are read.
  TORCH_ARG(int64_t, rows);
  /// Pixels of the modulator.
  TORCH_ARG(int64_t, columns);
  /// Seed of the medium and of its noise.
  TORCH_ARG(int64_t, seed) = 0;
  /// Depth of the simulation. `sigma` matters to OpuModel::noisy, the options after it to OpuModel::camera.
  TORCH_ARG(OpuModel, model) = OpuModel::noisy;
  /// noisy: standard deviation of the noise over that of the signal, 0 to 100.
  TORCH_ARG(double, sigma) = 0.1;
  /// camera: mean number of photons a pixel detects in one exposure, 1 to 1e9.
  TORCH_ARG(double, photons) = 1000;
  /// camera: levels 2^bits, 1 to 16; 0 means continuous.
  TORCH_ARG(int64_t, bits) = 8;
  /// camera: amplitude of the reference beam over the rms amplitude of the speckle, .01 to 100.
  TORCH_ARG(double, reference) = 1;
  /// camera: what saturates it, over the mean intensity, 1 to 1000.
  TORCH_ARG(double, saturation) = 8;
};

/// An optical processing unit: a binary modulator shows a frame, a scattering medium with the transmission
/// matrix T (independent complex normal entries, E |T|^2 = 1) mixes it, a camera reads. Ternary values
/// q = q+ - q- take two frames, and
///
///     s = B q,      B = sqrt(2) Re T,      Re(T q) = Re(T q+) - Re(T q-)
///
/// The camera sees intensities only. A reference beam of amplitude R, in phase and in opposition, makes the
/// field's real part of two exposures (holography):
///
///     I_0 = |E + R|^2,   I_pi = |E - R|^2,      Re E = (I_0 - I_pi) / 4 R
///
/// R and the exposure follow the number n of modulator pixels that are on, which the electronics knows: the
/// speckle's mean intensity is n, R^2 = reference^2 n. The camera counts Poisson(kappa I) photons, kappa so
/// that a pixel sees `photons` on average, saturates, and rounds to its levels.
///
/// T is never stored (ops::random_projection, complex_normal). Every product has noise of its own: its number
/// is the state of a run. x must be ternary int8. Source: Launay et al., arXiv 2006.01475; Wang et al., arXiv
/// 2409.12965.
class Opu : public Projector {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit Opu(OpuOptions options);

  std::string name() const override { return "Opu"; }
  std::map<std::string, torch::Tensor> state() const override;
  void load_state(const std::map<std::string, torch::Tensor>& state) override;

  /// Intensities |T q|^2 at the camera for binary q (0 and 1, int8) [batch, columns], over their mean:
  /// speckle. Throws c10::ValueError for other q, and for a dark frame.
  torch::Tensor speckle(const torch::Tensor& binary);

  /// The options it was made from.
  const OpuOptions options;

 protected:
  torch::Tensor compute(const torch::Tensor& x, int64_t first_row, int64_t rows) override;

 private:
  torch::Tensor field(const torch::Tensor& binary, int64_t first_row, int64_t rows) const;
  torch::Tensor holography(const torch::Tensor& binary, int64_t first_row, int64_t rows,
                           int64_t exposure) const;

  int64_t exposures_ = 0;
};

}  // namespace optotorch
