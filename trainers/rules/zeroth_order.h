#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/trainers/rules/rule.h>
#include <torch/arg.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace optotorch {

/// Where a gradient's estimate comes from.
enum class Perturbation {
  simultaneous,  ///< all commands at once, by random signs
  coordinates,   ///< one command after the other
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(Perturbation) {
  static const std::vector<std::string> all{"simultaneous", "coordinates"};
  return all;
}

/// Options for ZerothOrder.
struct ZerothOrderOptions {
  /// Kind of perturbation.
  TORCH_ARG(Perturbation, method) = Perturbation::simultaneous;
  /// Size delta of a perturbation, in units of the parameters; above 0.
  TORCH_ARG(double, step) = 0.01;
  /// simultaneous: directions whose estimates are averaged, at least 1.
  TORCH_ARG(int64_t, directions) = 1;
  /// Parameters that a step perturbs, drawn anew without replacement; 0: all.
  TORCH_ARG(int64_t, coordinates) = 0;
  /// A head of torch::nn modules learns by its exact gradient; any other is perturbed like the rest.
  TORCH_ARG(bool, exact_head) = true;
  /// Seed of the signs and of the parameters drawn.
  TORCH_ARG(int64_t, seed) = 0;

 public:
  /// Every option by name (fields.h) but the seed.
  void fields(FieldVisitor& visit) {
    visit("method", method_);
    visit("step", step_);
    visit("directions", directions_);
    visit("coordinates", coordinates_);
    visit("exact_head", exact_head_);
  }
};

/// Gradients from measured losses alone: whatever stands between commands and readings is never looked into. With unit
/// vectors e_i and the loss L at perturbed parameters p, central differences:
///
///     simultaneous   g = mean over the directions of [L(p + delta s) - L(p - delta s)] / (2 delta) s,   s_i = +-1 with
///                    equal chance, 0 where a parameter is not drawn: 2 measurements a direction
///     coordinates    g_i = [L(p + delta e_i) - L(p - delta e_i)] / (2 delta) of every i drawn, else 0: 2
///                    measurements each
///
/// A measurement is a forward pass of the batch, of a PhysicalNetwork one of its system. Dropout drops what it dropped
/// in the first pass (on the CPU); running statistics are those of the first pass; parameters come back to the bit. All
/// parameters that learn are perturbed, optical and electronic ones, but for an exact head's. The expectation of g over
/// the signs is the gradient, of the drawn parameters, to the order delta^2; its cosine to it is about the root of
/// directions over parameters.
///
/// Random numbers are a pure function of (seed, steps so far). Transports no weights. Source: Spall, IEEE Trans. Autom.
/// Control 37, 332 (1992), simultaneous perturbation.
class ZerothOrder : public Rule {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit ZerothOrder(ZerothOrderOptions options = {});

  std::string name() const override { return "zeroth-order"; }

  /// "measurements": forward passes of the last step, the first one too.
  std::map<std::string, double> measures() const override;

  std::map<std::string, torch::Tensor> state() const override;
  void load_state(const std::map<std::string, torch::Tensor>& state) override;

 protected:
  Keep keep_of_first_pass() const override { return options_.exact_head() ? Keep::context : Keep::nothing; }
  std::vector<Pass> first_pass(HybridImpl& model, const torch::Tensor& input) override;
  void teach(HybridImpl& model, const Lesson& lesson) override;

 private:
  ZerothOrderOptions options_;
  int64_t steps_ = 0;
  double measurements_ = 0;
  torch::Tensor random_state_;  // LibTorch's, before the first pass
};

}  // namespace optotorch
