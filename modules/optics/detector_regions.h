#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <torch/arg.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace optotorch {

/// Options for DetectorRegions: DetectorRegionsOptions({200, 200}).pairs(true).
struct DetectorRegionsOptions {
  /// Ten regions, one per class, on images of `window`.
  DetectorRegionsOptions(std::vector<int64_t> window)  // NOLINT(google-explicit-constructor)
      : window_(std::move(window)) {}
  /// Rows and columns of the camera's image.
  TORCH_ARG(std::vector<int64_t>, window);
  /// Number of scores, 1 to 4096.
  TORCH_ARG(int64_t, classes) = 10;
  /// Two regions for every class, whose difference counts.
  TORCH_ARG(bool, pairs) = false;
  /// Regions of each row from above to below, "3-4-3"; empty: rows of nearly as many ("3-4-3" for 10 of 10
  /// regions).
  TORCH_ARG(std::string, layout) = "";
  /// Side of a region, as a part of the image's shorter side: above 0, up to 1.
  TORCH_ARG(double, side) = 0.11;
  /// Factor of the scores.
  TORCH_ARG(double, scale) = 20;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("window", window_);
    visit("classes", classes_);
    visit("pairs", pairs_);
    visit("layout", layout_);
    visit("side", side_);
    visit("scale", scale_);
  }
};

/// A camera's image, read as the scores of classes: real [batch, planes, window] -> [batch, classes]. With o_k the
/// light in region k, of all planes,
///
///     s_k = scale o_k / sum_j o_j,     of pairs  s_k = scale (o_k - o_(k + classes)) / (o_k + o_(k + classes))
///
/// Normalised, scores don't know the light's power; between 10 and 20 the scale lets cross entropy teach them (see
/// docs/performance.md for what others gave). No light gives scores of 0. Regions are squares, numbered row by row.
class DetectorRegionsImpl : public CloneableLayer<DetectorRegionsImpl> {
 public:
  /// Throws c10::ValueError for a layout of another number of regions, regions without a pixel, and such as would
  /// overlap.
  explicit DetectorRegionsImpl(DetectorRegionsOptions options);

  Role role() const override { return Role::response; }
  Deployment deploy() override;

  /// First row, first column, side of every region, in pixels.
  const std::vector<std::array<int64_t, 3>>& regions() const { return regions_; }

  /// The options it was made from.
  DetectorRegionsOptions options;

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
  std::vector<torch::Tensor> read_by_pullback(const Pass& pass) const override { return {pass.input}; }

 private:
  std::vector<std::array<int64_t, 3>> regions_;
};

TORCH_MODULE(DetectorRegions);

}  // namespace optotorch
