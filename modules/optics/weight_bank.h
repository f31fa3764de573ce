#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/stage.h>
#include <torch/arg.h>

namespace optotorch {

/// Options for WeightBank: WeightBankOptions(784, 512).bits(8).
struct WeightBankOptions {
  /// A bank of continuous weights with gain 1 and an offset.
  WeightBankOptions(int64_t in_features, int64_t out_features)
      : in_features_(in_features), out_features_(out_features) {}

  /// Number of wavelength channels at the input, at least 1.
  TORCH_ARG(int64_t, in_features);
  /// Number of pairs of photodiodes, one per output: at least 1.
  TORCH_ARG(int64_t, out_features);
  /// Resolution of a weight: 2^bits evenly spaced values in [-1, 1], 1 to 16 bits; 0 means continuous.
  TORCH_ARG(int64_t, bits) = 0;
  /// Gain of the amplifier behind each pair of photodiodes, > 0.
  TORCH_ARG(double, gain) = 1;
  /// An electronic offset per output.
  TORCH_ARG(bool, bias) = true;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("in_features", in_features_);
    visit("out_features", out_features_);
    visit("bits", bits_);
    visit("gain", gain_);
    visit("bias", bias_);
  }
};

/// Real weights by add-drop microrings: [batch, in_features] -> [batch, out_features], all real,
///
///     y = gain x W^T + b,      W = (1 - d^2) / (1 + d^2)   (drop minus through port, balanced detection).
///
/// The parameter `detuning` d [out, in] is a ring's detuning in half linewidths: every real d is a weight in
/// (-1, 1], so no optimiser can leave the range; W = 0 at d = 1, where dW/dd = -1. With `bits`, W is rounded
/// to the nearest level and the slope is that of the unrounded weight (straight-through). `bias` b [out] is
/// electronic. Initially W and b are uniform in +-1/sqrt(in), as in torch::nn::Linear. Source: Tait et al.
/// 2017 (neuromorphic weight banks).
class WeightBankImpl : public CloneableLayer<WeightBankImpl, Stage> {
 public:
  /// A bank of continuous weights with gain 1 and an offset.
  WeightBankImpl(int64_t in_features, int64_t out_features)
      : WeightBankImpl(WeightBankOptions(in_features, out_features)) {}
  /// Throws c10::ValueError for options out of their ranges.
  explicit WeightBankImpl(WeightBankOptions options);

  /// As a stage: real values; it commands detuning and, if there is one, bias. Ring by ring, errors of the
  /// resonance and what the bus loses before the ring are
  ///
  ///     W_oi = exp(-attenuation_oi) (1 - (d_oi + resonance_oi)^2) / (1 + (d_oi + resonance_oi)^2)
  ///
  /// `resonance` [out, in] in half linewidths, `attenuation` [out, in] in nepers of power, at least 0: of
  /// `loss_db` that the bus loses at every ring, light of channel i has passed i.
  std::vector<StageError> errors() const override;
  torch::Tensor respond(const torch::Tensor& x, const Values& commands, const Values& errors) const override;
  Gradients respond_backward(const torch::Tensor& dL_dy, const torch::Tensor& x, const torch::Tensor& y,
                             const Values& commands, const Values& errors,
                             const Wanted& wanted) const override;
  bool is_matrix() const override { return true; }
  Deployment deploy() override;
  Footprint footprint() const override {
    return {{parts::rings, options.in_features() * options.out_features()},
            {parts::detectors, 2 * options.out_features()}};
  }
  Traversal traversal(const Pass& pass) const override {
    auto way = Layer::traversal(pass);
    way.along[parts::rings] = options.in_features();  // on the bus of an output
    return way;
  }

  /// The weights W that the rings realise, rounded if `bits` is given.
  torch::Tensor weight() const;

  /// Tunes the rings to `weight` [out, in], values in [-1, 1]; -1 becomes -1 + 1e-9. Throws c10::ValueError for other
  /// values and shapes.
  void set_weight(const torch::Tensor& weight);

  /// The options it was made from.
  WeightBankOptions options;
  torch::Tensor detuning,  ///< parameter [out, in], d in half linewidths
      bias;                ///< parameter [out], b; undefined unless options.bias()

 protected:
  StageDesign make_design() const override;
  std::vector<torch::Tensor> read_by_pullback(const Pass& pass) const override;
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;

 private:
  /// Detunings as the driver sets them: of `bits`, those of the nearest levels.
  torch::Tensor set(const torch::Tensor& commanded) const;
};

TORCH_MODULE(WeightBank);

}  // namespace optotorch
