#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <optotorch/modules/optics/diffractive_layer.h>
#include <torch/arg.h>

#include <utility>
#include <vector>

namespace optotorch {

/// Options for Correlator4f: Correlator4fOptions({28, 28}).start(PhaseStart::zero).
struct Correlator4fOptions {
  /// A phase mask whose sides are twice those of `window`.
  Correlator4fOptions(std::vector<int64_t> window)  // NOLINT(google-explicit-constructor)
      : window_(std::move(window)) {}
  /// Rows and columns of the field.
  TORCH_ARG(std::vector<int64_t>, window);
  /// Rows and columns of the mask by those of the window. 1: what leaves the field on one side comes back on the
  /// other; 2: it is lost.
  TORCH_ARG(int64_t, padding) = 2;
  /// Effect of the mask on light, which decides what parameters there are.
  TORCH_ARG(Modulation, modulation) = Modulation::phase;
  /// Initial phases of the mask.
  TORCH_ARG(PhaseStart, start) = PhaseStart::uniform;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("window", window_);
    visit("padding", padding_);
    visit("modulation", modulation_);
    visit("start", start_);
  }

  /// Rows and columns of the mask.
  std::vector<int64_t> padded() const;
};

/// A convolution by light: two lenses, and a mask in the focal plane that they share,
///
///     y = crop(ifft2(T fft2(pad(x)))),     T = a exp(i phase)
///
/// field [batch, planes, window] -> the same; all planes of a field meet the same mask. So y is x convolved with
/// k = ifft2(T), over lags of -window to window - 1 with padding 2, around the window with padding 1. The second
/// lens is taken as turned round: y stands upright.
///
/// Parameters `phase` [padded], radians, and `amplitude` [padded], initially 2, with a = sigmoid(amplitude); which
/// of them there are says `modulation`. Their order is that of fft2: [0, 0] lies on the optical axis, [i, j] at
/// lambda f / (spacing [rows, columns of the mask]) [i, j] from it, where what is beyond half counts from the end.
///
/// Throws c10::ValueError for other paddings, and a field of another size. Source: the 4f processor, Goodman,
/// Introduction to Fourier Optics.
class Correlator4fImpl : public CloneableLayer<Correlator4fImpl> {
 public:
  /// Throws c10::ValueError for a window outside 1 to 2^14 a side, and a padding other than 1 or 2.
  explicit Correlator4fImpl(Correlator4fOptions options);

  Role role() const override { return Role::component; }
  Deployment deploy() override;
  Footprint footprint() const override;
  Traversal traversal(const Pass& pass) const override {
    auto way = between_planes(Layer::traversal(pass), pass);
    way.along[parts::lenses] = 2;
    return way;
  }

  /// T, complex [padded], in the precision of the parameters.
  torch::Tensor transfer() const;

  /// The options it was made from.
  Correlator4fOptions options;
  torch::Tensor phase,  ///< parameter [padded], radians; undefined for Modulation::amplitude
      amplitude;        ///< parameter [padded], of which a is the sigmoid; undefined for Modulation::phase

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
  std::vector<torch::Tensor> read_by_pullback(const Pass& pass) const override;
};

TORCH_MODULE(Correlator4f);

}  // namespace optotorch
