#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <torch/arg.h>

namespace optotorch {

/// Options for FourierLens: FourierLensOptions(8) keeps the 8 x 8 lowest spatial frequencies.
struct FourierLensOptions {
  /// Keeps the `window` x `window` lowest spatial frequencies.
  FourierLensOptions(int64_t window)
      : window_(window) {}  // NOLINT(google-explicit-constructor): FourierLens(8)
  /// Side of the crop, at least 1 and no longer than an image's shorter side.
  TORCH_ARG(int64_t, window);

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) { visit("window", window_); }
};

/// A lens before a chip: real images [batch, 1, height, width] -> field [batch, window^2].
///
///     c = crop(fftshift(fft2(x))),   y = c / mean |c|
///
/// The crop is the central window (rows height/2 - window/2 on, likewise columns), row-major; the mean is
/// taken over a sample's own window, so every port carries unit amplitude on average. A black image gives a
/// black field. No parameters. Source: Zheng et al., arXiv 2212.06141.
class FourierLensImpl : public CloneableLayer<FourierLensImpl> {
 public:
  /// Throws c10::ValueError for a window below 1.
  explicit FourierLensImpl(FourierLensOptions options);

  Role role() const override { return Role::source; }
  Footprint footprint() const override { return {{parts::lenses, 1}}; }

  /// The options it was made from.
  FourierLensOptions options;

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;

 private:
  torch::Tensor crop(const torch::Tensor& x) const;
};

TORCH_MODULE(FourierLens);

}  // namespace optotorch
