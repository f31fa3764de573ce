#pragma once

#include <optotorch/trainers/rules/laboratory/in_silico.h>

namespace optotorch {

/// Adaptive training, the baseline AT of arXiv 2212.06141: phases that were trained in silico meet the
/// hardware one stage after the other. In period n = 1 ... N - 1 the first n stages of every PhysicalNetwork
/// are frozen, the fields behind them are the measured |P_n| exp(i arg S_n), and the stages behind learn in
/// silico. The last one's errors are never met.
class AdaptiveTraining : public InSilico {
 public:
  /// Throws c10::ValueError unless a period has at least one step.
  explicit AdaptiveTraining(int64_t steps_per_stage);

  std::string name() const override { return "at"; }
  std::map<std::string, torch::Tensor> state() const override;
  void load_state(const std::map<std::string, torch::Tensor>& state) override;

 protected:
  void teach(HybridImpl& model, const Lesson& lesson) override;
  size_t frozen_stages(const PhysicalNetworkImpl& network) const override;

 private:
  int64_t steps_per_stage_, steps_ = 0;
};

}  // namespace optotorch
