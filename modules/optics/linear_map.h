#pragma once

#include <optotorch/modules/differentiable.h>
#include <optotorch/modules/fields.h>
#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/linear.h>

#include <string>
#include <vector>

namespace optotorch {

/// Kind of the linear maps inside a larger module.
enum class Maps {
  electronic,   ///< torch::nn::Linear
  weight_bank,  ///< WeightBank: add-drop microrings, weights in (-1, 1]
  mzi_linear,   ///< MziLinear: two meshes and a row of amplitudes, read coherently
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(Maps) {
  static const std::vector<std::string> all{"electronic", "weight_bank", "mzi_linear"};
  return all;
}

/// "electronic", "weight_bank", "mzi_linear".
std::string to_string(Maps maps);

/// Options for LinearMap: LinearMapOptions(64, 256).maps(Maps::weight_bank).
struct LinearMapOptions {
  /// An electronic map with an offset.
  LinearMapOptions(int64_t in_features, int64_t out_features)
      : in_features_(in_features), out_features_(out_features) {}
  /// Last size of the input, 1 to 2^24.
  TORCH_ARG(int64_t, in_features);
  /// Last size of the output, 1 to 2^24.
  TORCH_ARG(int64_t, out_features);
  /// Kind of W.
  TORCH_ARG(Maps, maps) = Maps::electronic;
  /// An electronic offset per output.
  TORCH_ARG(bool, bias) = true;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("in_features", in_features_);
    visit("out_features", out_features_);
    visit("maps", maps_);
    visit("bias", bias_);
  }
};

/// A real linear map of the last dimension, electronic or optical: real values [..., in_features] ->
/// [..., out_features],
///
///     y = x W^T + b.
///
/// `maps` says what W is. electronic: the child `linear`. weight_bank: the child `optics`, which brings its
/// own b. mzi_linear: W = Re(U Sigma V) by the child `optics`; x rides on light as amplitudes, and the
/// quadrature in phase with it is read against a local oscillator; b is the parameter `bias` [out_features],
/// initially as in torch::nn::Linear. All rows of x go through one and the same component, one after the
/// other in time.
class LinearMapImpl : public torch::nn::Cloneable<LinearMapImpl> {
 public:
  /// An electronic map with an offset.
  LinearMapImpl(int64_t in_features, int64_t out_features)
      : LinearMapImpl(LinearMapOptions(in_features, out_features)) {}
  /// Throws c10::ValueError for sizes outside 1 to 2^24.
  explicit LinearMapImpl(LinearMapOptions options);

  void reset() override;
  /// Throws c10::ValueError unless x is real, of the parameters' precision, and [..., in_features] with at
  /// least two dimensions.
  torch::Tensor forward(const torch::Tensor& x);
  void pretty_print(std::ostream& stream) const override;

  /// The options it was made from.
  LinearMapOptions options;
  torch::nn::Linear linear{nullptr};  ///< of Maps::electronic
  Differentiable optics{nullptr};     ///< of the others
  torch::Tensor bias;                 ///< of Maps::mzi_linear
};

TORCH_MODULE(LinearMap);

}  // namespace optotorch
