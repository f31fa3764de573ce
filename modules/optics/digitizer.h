#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <torch/arg.h>

namespace optotorch {

/// Options for Digitizer: DigitizerOptions().thermal_noise(.01).bits(8).full_scale(.5).
struct DigitizerOptions {
  /// Variance per unit of current, >= 0.
  TORCH_ARG(double, shot_noise) = 0;
  /// Standard deviation in units of current, >= 0.
  TORCH_ARG(double, thermal_noise) = 0;
  /// The converter knows 2^bits values from 0 to `full_scale` and takes the nearest. 0: any value; else 1 to 24.
  TORCH_ARG(int64_t, bits) = 0;
  /// Largest current, above 0. Of no meaning without bits.
  TORCH_ARG(double, full_scale) = 1;
  /// Seed of the noise; pass n draws stream n of it (ops/photodetect.h).
  TORCH_ARG(int64_t, seed) = 0;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("shot_noise", shot_noise_);
    visit("thermal_noise", thermal_noise_);
    visit("bits", bits_);
    visit("full_scale", full_scale_);
    visit("seed", seed_);
  }
};

/// Receiver behind photodiodes: their currents, real values of any shape, get noise and are digitised. Noise is drawn
/// in training mode only, from currents that are not negative; its count of passes is the buffer `passes`, so that a
/// resumed run draws the same noise. The pull-back is that of the noiseless current where the converter is not
/// saturated.
class DigitizerImpl : public CloneableLayer<DigitizerImpl, ResponseLayer> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit DigitizerImpl(DigitizerOptions options = {});

  Deployment deploy() override;

  /// The options it was made from.
  DigitizerOptions options;
  torch::Tensor passes;  ///< int64 scalar

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
};

TORCH_MODULE(Digitizer);

}  // namespace optotorch
