#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <torch/arg.h>

#include <utility>
#include <vector>

namespace optotorch {

/// Options for Lens: LensOptions({64, 64}, .1).spacing(8e-6).
struct LensOptions {
  /// A lens in the middle of a field of `window`.
  LensOptions(std::vector<int64_t> window, double focal_length)
      : window_(std::move(window)), focal_length_(focal_length) {}
  /// Rows and columns of the field.
  TORCH_ARG(std::vector<int64_t>, window);
  /// Metres; below 0 the lens spreads light.
  TORCH_ARG(double, focal_length);
  /// Wavelengths in vacuum, metres: one for all planes of a field, or one for each. All have the same focal length.
  TORCH_ARG(std::vector<double>, wavelengths) = {532e-9};
  /// Spacing of the field's samples, metres.
  TORCH_ARG(double, spacing) = 17e-6;
  /// Centre of the lens, from the window's middle: metres down, metres right.
  TORCH_ARG(std::vector<double>, center) = {0, 0};

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("window", window_);
    visit("focal_length", focal_length_);
    visit("wavelengths", wavelengths_);
    visit("spacing", spacing_);
    visit("center", center_);
  }
};

/// A thin lens, y = exp(-i pi r^2 / (lambda f)) x: field [batch, planes, window] -> the same. r is the distance
/// from the lens's centre, in metres. No parameters.
///
/// Samples carry the lens where r < lambda |f| / (2 spacing): farther out its phase turns by more than half a
/// wave from one to the next, and light goes elsewhere. Throws c10::ValueError for a focal length of 0, lengths
/// that are not positive or not finite, and a field of another size.
///
/// Source: Goodman, Introduction to Fourier Optics, the thin lens in paraxial approximation.
class LensImpl : public CloneableLayer<LensImpl> {
 public:
  /// Throws c10::ValueError for a window outside 1 to 2^14 a side, a focal length that is 0, not finite or so short
  /// that phases are not finite, no wavelengths, other lengths that are not positive and finite, and a centre that is
  /// not two finite numbers.
  explicit LensImpl(LensOptions options);

  Role role() const override { return Role::component; }
  Deployment deploy() override;
  Footprint footprint() const override { return {{parts::lenses, 1}}; }

  /// The options it was made from.
  LensOptions options;

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
  std::vector<torch::Tensor> read_by_pullback(const Pass& /*pass*/) const override { return {}; }

 private:
  torch::Tensor mask_;  ///< complex128 [window] or, of several wavelengths, [planes, window]
};

TORCH_MODULE(Lens);

}  // namespace optotorch
