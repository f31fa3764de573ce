#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <optotorch/modules/optics/hop_options.h>
#include <optotorch/modules/optics/modulator.h>
#include <torch/arg.h>

#include <numbers>
#include <utility>
#include <vector>

namespace optotorch {

/// Options for SpatialLightModulator: SpatialLightModulatorOptions({200, 200}).levels(256).
struct SpatialLightModulatorOptions {
  /// An ideal amplitude modulator with `pixels`.
  SpatialLightModulatorOptions(std::vector<int64_t> pixels)  // NOLINT(google-explicit-constructor)
      : pixels_(std::move(pixels)) {}
  /// Rows and columns.
  TORCH_ARG(std::vector<int64_t>, pixels);
  /// amplitude or phase.
  TORCH_ARG(Encoding, encoding) = Encoding::amplitude;
  /// Pixels along a side of a value's square; 0: as many as fit.
  TORCH_ARG(int64_t, magnification) = 0;
  /// Light of a sample is 1 in all; otherwise that of a pixel is.
  TORCH_ARG(bool, unit_power) = true;
  /// Phase of the value 1, radians.
  TORCH_ARG(double, phase_range) = std::numbers::pi;
  /// Values that the driver knows, from 0 to 1: it takes the nearest. 0: any value; else 2 to 65536.
  TORCH_ARG(int64_t, levels) = 0;
  /// Deviation of the phase p from its linear curve: curve_0 sin p + curve_1 sin 2p, radians.
  TORCH_ARG(std::vector<double>, curve) = {0, 0};
  /// Amplitude that is lost at a phase of pi, 0 to 1: times 1 - coupling (1 - cos p) / 2.
  TORCH_ARG(double, coupling) = 0;
  /// Samples of the field along a pixel's side: 1 to 16.
  TORCH_ARG(int64_t, oversampling) = 1;
  /// Part of a pixel's area that light passes, in its middle: above 0, up to 1.
  TORCH_ARG(double, fill_factor) = 1;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("pixels", pixels_);
    visit("encoding", encoding_);
    visit("magnification", magnification_);
    visit("unit_power", unit_power_);
    visit("phase_range", phase_range_);
    visit("levels", levels_);
    visit("curve", curve_);
    visit("coupling", coupling_);
    visit("oversampling", oversampling_);
    visit("fill_factor", fill_factor_);
  }
};

/// The way in to free space: real images [batch, planes, height, width] -> field [batch, planes, rows, columns] of
/// pixels x oversampling samples. A value shows on a square of pixels, the image in the middle; beyond it all is
/// dark. Amplitude: E = x; phase: E = a exp(i p), p = phase_range x and the curve. A black image stays dark. No
/// parameters. The pull-back sees through the levels, as if there were none.
class SpatialLightModulatorImpl : public CloneableLayer<SpatialLightModulatorImpl> {
 public:
  /// Throws c10::ValueError for pixels outside 1 to 2^14 a side, Encoding::complex, and options out of their ranges.
  explicit SpatialLightModulatorImpl(SpatialLightModulatorOptions options);

  Role role() const override { return Role::source; }
  Deployment deploy() override;
  Footprint footprint() const override { return {{parts::pixels, c10::multiply_integers(options.pixels())}}; }

  /// The options it was made from.
  SpatialLightModulatorOptions options;

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
};

TORCH_MODULE(SpatialLightModulator);

}  // namespace optotorch
