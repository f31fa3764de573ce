#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <torch/arg.h>

#include <cstdint>
#include <string>

namespace optotorch {

/// Options of a BooleanReadout or TernaryReadout: DiscreteReadoutOptions(450, 10).noise(.1).
struct DiscreteReadoutOptions {
  /// A read-out without noise.
  DiscreteReadoutOptions(int64_t in_features, int64_t out_features)
      : in_features_(in_features), out_features_(out_features) {}

  /// Number of neurons at the input, at least 1.
  TORCH_ARG(int64_t, in_features);
  /// Number of masks, one per output: at least 1.
  TORCH_ARG(int64_t, out_features);
  /// Standard deviation of an exposure's noise over that of the exposure itself in the batch, in training mode; at
  /// least 0.
  TORCH_ARG(double, noise) = 0;
  /// Seed of the noise.
  TORCH_ARG(int64_t, seed) = 0;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("in_features", in_features_);
    visit("out_features", out_features_);
    visit("noise", noise_);
    visit("seed", seed_);
  }
};

/// A read-out by a binary modulator in front of one detector: real values [batch, in_features] ->
/// [batch, out_features],
///
///     y = gain (x W^T + sigma xi) + bias,     W one of a few values, the nearest to the parameter `weight`
///
/// `weight` [out, in] is a real latent, so that every rule trains it: its slope is that of W (straight through). A rule
/// that sets masks (Annealing) writes their values. `gain` and `bias` [out] are electronics behind the detector.
///
/// The noise is drawn in training mode only. An exposure e, read as e_b for sample b, has noise of the standard
/// deviation `noise` std_b(e); the variances of exposures that are subtracted add to sigma^2. Noise is a pure function
/// of the seed and the number of the reading, which the buffer `readings` counts. The pull-back is that of the
/// noiseless reading but for the gain's, which multiplies what was read. Source: Skalli et al., arXiv 2409.01042.
class DiscreteReadout : public Layer {
 public:
  /// Lowest value of a weight; the highest is 1, and weights are whole.
  virtual int64_t least() const = 0;
  /// Exposures that make a reading.
  int64_t exposures() const { return least() < 0 ? 2 : 1; }

  /// W [out, in].
  torch::Tensor discrete_weight() const;

  Role role() const override { return Role::component; }
  bool is_matrix() const override { return options.noise() == 0; }
  Deployment deploy() override;
  Footprint footprint() const override;
  Traversal traversal(const Pass& pass) const override;

  /// The options it was made from.
  DiscreteReadoutOptions options;
  torch::Tensor weight,    ///< parameter [out, in], the real latent of W
      gain,                ///< parameter [out]: gain of the amplifier behind the detector
      bias;                ///< parameter [out]: electronic offset behind the gain
  torch::Tensor readings;  ///< int64 scalar

 protected:
  /// `weight` begins uniform within +-reach of `centre`, the gain as 1 / sqrt(in_features), the bias as 0. Throws
  /// c10::ValueError for options out of their ranges.
  DiscreteReadout(const std::string& name, DiscreteReadoutOptions options, double centre, double reach);

  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
  std::vector<torch::Tensor> read_by_pullback(const Pass& pass) const override;
};

}  // namespace optotorch
