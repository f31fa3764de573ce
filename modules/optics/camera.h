#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <optotorch/modules/optics/hop_options.h>
#include <torch/arg.h>

#include <algorithm>
#include <vector>

namespace optotorch {

/// Options for Camera: CameraOptions().shot_noise(1e-4).bits(8).full_scale(.01).
struct CameraOptions {
  /// Region of interest: first row, first column, rows, columns; empty: all of the field.
  TORCH_ARG(std::vector<int64_t>, region) = {};
  /// A pixel adds the light of all planes (wavelengths).
  TORCH_ARG(bool, sum_planes) = false;
  /// Variance per unit of intensity, >= 0.
  TORCH_ARG(double, shot_noise) = 0;
  /// Standard deviation in units of intensity, >= 0.
  TORCH_ARG(double, read_noise) = 0;
  /// The converter knows 2^bits values from 0 to `full_scale` and takes the nearest. 0: any value; else 1 to 24.
  TORCH_ARG(int64_t, bits) = 0;
  /// Brightest intensity, above 0. Of no meaning without bits.
  TORCH_ARG(double, full_scale) = 1;
  /// Seed of the noise; pass n draws stream n of it (ops/photodetect.h).
  TORCH_ARG(int64_t, seed) = 0;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("region", region_);
    visit("sum_planes", sum_planes_);
    visit("shot_noise", shot_noise_);
    visit("read_noise", read_noise_);
    visit("bits", bits_);
    visit("full_scale", full_scale_);
    visit("seed", seed_);
  }
};

/// The way out of free space: field [batch, planes, height, width] -> intensities |z|^2 of the region of interest,
/// real [batch, planes or 1, rows, columns]. Noise is drawn in training mode only; its count of passes is the buffer
/// `passes`, so that a resumed run draws the same noise. The pull-back is that of the noiseless reading without a
/// converter, where that is not saturated.
class CameraImpl : public CloneableLayer<CameraImpl, ResponseLayer> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit CameraImpl(CameraOptions options = {});

  Deployment deploy() override;
  Footprint footprint() const override { return {{parts::cameras, 1}}; }
  Traversal traversal(const Pass& pass) const override {
    return {{{parts::cameras, 1}}, 1, 0, pass.input.numel() / std::max<int64_t>(1, pass.input.size(0))};
  }

  /// The options it was made from.
  CameraOptions options;
  torch::Tensor passes;  ///< int64 scalar

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
  torch::Tensor carry(const Pass& pass, const torch::Tensor& signal) const override;

 private:
  torch::Tensor on_field(const Pass& pass, const torch::Tensor& signal) const;
};

TORCH_MODULE(Camera);

}  // namespace optotorch
