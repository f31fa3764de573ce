#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <torch/arg.h>

#include <utility>
#include <vector>

namespace optotorch {

/// Options for ModRelu: ModReluOptions(64), ModReluOptions({1, 28, 28}).
struct ModReluOptions {
  /// A bias for each of `ports` ports.
  ModReluOptions(int64_t ports) : shape_{ports} {}  // NOLINT(google-explicit-constructor)
  /// A bias for each element of a sample of `shape`.
  ModReluOptions(std::vector<int64_t> shape)
      : shape_(std::move(shape)) {}  // NOLINT(google-explicit-constructor)
  /// Shape of a sample: {ports}, or {planes, height, width} in free space.
  TORCH_ARG(std::vector<int64_t>, shape);
  /// Initial value of every bias.
  TORCH_ARG(double, bias) = -0.1;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("shape", shape_);
    visit("bias", bias_);
  }
};

/// y = max(|z| + bias, 0) z / |z|: field [batch, ..., shape] -> the same. A threshold for light.
/// The parameter `bias` [shape] is real. Source: Arjovsky et al. 2016; formula and pull-back:
/// ops/activation.h.
class ModReluImpl : public CloneableLayer<ModReluImpl, ResponseLayer> {
 public:
  /// Throws c10::ValueError for a shape without axes, sizes below 1, and a shape that no memory could hold.
  explicit ModReluImpl(ModReluOptions options);

  Deployment deploy() override;

  /// The options it was made from.
  ModReluOptions options;
  /// Parameter [shape], in units of amplitude: -bias is the threshold.
  torch::Tensor bias;

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;

 private:
  /// A sample in one axis, as the operator takes it.
  torch::Tensor flat(const torch::Tensor& field) const;
};

TORCH_MODULE(ModRelu);

}  // namespace optotorch
