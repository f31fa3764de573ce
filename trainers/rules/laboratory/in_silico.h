#pragma once

#include <optotorch/trainers/rules/rule.h>

namespace optotorch {

class Correction;
class PhysicalNetworkImpl;

/// Back-propagation through the numerical models of PhysicalNetworks, corrected if they have corrections,
/// which stay as they are: no system is asked. The accuracy in training is that of the model; evaluation
/// measures.
class InSilico : public Rule {
 public:
  std::string name() const override { return "in-silico"; }
  void meet(HybridImpl& model) override;
  /// The corrections: nobody else keeps what they learnt before.
  std::map<std::string, torch::Tensor> state() const override;
  void load_state(const std::map<std::string, torch::Tensor>& state) override;

 protected:
  std::vector<Pass> first_pass(HybridImpl& model, const torch::Tensor& input) override;
  void teach(HybridImpl& model, const Lesson& lesson) override;

  /// The number of the first stages that keep their commands; what they deliver is measured behind the last
  /// of them.
  virtual size_t frozen_stages(const PhysicalNetworkImpl& network) const { return 0; }

 private:
  std::vector<std::shared_ptr<Correction>> corrections_;
  bool met_ = false;
  std::map<std::string, torch::Tensor> pending_;  ///< a state that waits for the corrections it belongs to
};

}  // namespace optotorch
