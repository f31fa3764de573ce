#pragma once

#include <optotorch/modules/layer.h>
#include <torch/arg.h>

namespace optotorch {

/// Options for ModRelu: ModReluOptions(64).
struct ModReluOptions {
  ModReluOptions(int64_t ports) : ports_(ports) {}  // NOLINT(google-explicit-constructor): ModRelu(64)
  TORCH_ARG(int64_t, ports);
  /// Initial value of every bias.
  TORCH_ARG(double, bias) = -0.1;
};

/// y = max(|z| + bias, 0) z / |z|: field [batch, ports] -> field [batch, ports]. A threshold for light.
/// The parameter `bias` [ports] is real. Source: Arjovsky et al. 2016; formula and pull-back:
/// ops/activation.h.
class ModReluImpl : public CloneableLayer<ModReluImpl, ResponseLayer> {
 public:
  explicit ModReluImpl(ModReluOptions options);

  Deployment deploy() override;
  void pretty_print(std::ostream& stream) const override;

  ModReluOptions options;
  torch::Tensor bias;

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, std::vector<torch::Tensor>* saved) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
};

TORCH_MODULE(ModRelu);

}  // namespace optotorch
