#pragma once

#include <optotorch/modules/layer.h>
#include <torch/arg.h>

namespace optotorch {

/// Options for PhaseScreen: PhaseScreenOptions(64).
struct PhaseScreenOptions {
  PhaseScreenOptions(int64_t ports)
      : ports_(ports) {}  // NOLINT(google-explicit-constructor): PhaseScreen(64)
  TORCH_ARG(int64_t, ports);
};

/// A phase shifter on every port, y = exp(i gamma) x: field [batch, ports] -> field [batch, ports].
/// The parameter `gamma` [ports], radians, is initially uniform in [0, 2 pi).
class PhaseScreenImpl : public CloneableLayer<PhaseScreenImpl> {
 public:
  explicit PhaseScreenImpl(PhaseScreenOptions options);

  Role role() const override { return Role::component; }
  Deployment deploy() override;
  void pretty_print(std::ostream& stream) const override;

  PhaseScreenOptions options;
  torch::Tensor gamma;

 protected:
  std::vector<torch::Tensor> read_by_pullback(const Pass& pass) const override;
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, std::vector<torch::Tensor>* saved) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
};

TORCH_MODULE(PhaseScreen);

}  // namespace optotorch
