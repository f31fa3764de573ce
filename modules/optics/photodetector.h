#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <torch/arg.h>

#include <string>
#include <vector>

namespace optotorch {

/// Reading of a field z of N ports.
enum class Detection {
  intensity,  ///< I = |z|^2, N values
  amplitude,  ///< sqrt(I + 1e-8), N values: the square root is taken electronically
  balanced,   ///< I[2k] - I[2k+1], N/2 values of either sign; N even
  coherent,   ///< (Re z, Im z) against a local oscillator, 2N values
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(Detection) {
  static const std::vector<std::string> all{"intensity", "amplitude", "balanced", "coherent"};
  return all;
}

/// Intensity that Detection::amplitude adds: it keeps the slope of the square root finite on a dark
/// port.
inline constexpr double dark_intensity = 1e-8;

/// A detector's electronics on intensities I, [batch, N]: see Detection (`coherent` has no
/// intensities). Noise may have made some negative: their amplitude is that of 0.
torch::Tensor detector_reading(Detection detection, const torch::Tensor& intensity);

/// "intensity", "amplitude", "balanced", "coherent".
std::string to_string(Detection detection);

/// Options for Photodetector: PhotodetectorOptions().detection(Detection::balanced).
struct PhotodetectorOptions {
  /// Kind of reading.
  TORCH_ARG(Detection, detection) = Detection::intensity;
  /// Shot noise: variance per unit of intensity, >= 0. (coherent: of each quadrature, per unit of its
  /// variance 1.)
  TORCH_ARG(double, shot_noise) = 0;
  /// Thermal noise: standard deviation in units of intensity (coherent: of amplitude), >= 0.
  TORCH_ARG(double, thermal_noise) = 0;
  /// Seed of the noise; pass n draws stream n of it (ops/photodetect.h).
  TORCH_ARG(int64_t, seed) = 0;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("detection", detection_);
    visit("shot_noise", shot_noise_);
    visit("thermal_noise", thermal_noise_);
    visit("seed", seed_);
  }
};

/// The way out: field [batch, N] -> real values. Noise is drawn in training mode only; its count of passes is
/// the buffer `passes`, so that a resumed run draws the same noise. The pull-back is that of the noiseless
/// reading.
class PhotodetectorImpl : public CloneableLayer<PhotodetectorImpl, ResponseLayer> {
 public:
  /// Throws c10::ValueError for noises that are negative or not finite.
  explicit PhotodetectorImpl(PhotodetectorOptions options = {});

  Deployment deploy() override;
  Traversal traversal(const Pass& pass) const override;

  /// The options it was made from.
  PhotodetectorOptions options;
  torch::Tensor passes;  ///< int64 scalar

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
  torch::Tensor carry(const Pass& pass, const torch::Tensor& signal) const override;
};

TORCH_MODULE(Photodetector);

}  // namespace optotorch
