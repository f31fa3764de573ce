#pragma once

// A rule is a source of signals: it decides what stands at the output of each block; the blocks' layers turn
// that into gradients by their hooks, and any torch::optim optimiser steps.

#include <optotorch/modules/hybrid.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace optotorch {

/// A real scalar from the network's output and the target, averaged over the batch, e.g.
/// torch::nn::CrossEntropyLoss. Autograd runs inside the loss only.
using Loss = std::function<torch::Tensor(const torch::Tensor& output, const torch::Tensor& target)>;

/// Results of one training step, detached from any graph.
struct StepResult {
  torch::Tensor output;  ///< of the first pass
  torch::Tensor loss;    ///< scalar
};

/// Material of a rule: a first pass, and the loss of it and of any other output for the same target.
/// Gradients are found when they are asked for; a rule that learns from values alone asks for none.
class Lesson {
 public:
  /// `rule` is who complains of a loss that is no real scalar.
  Lesson(std::string rule, const std::vector<Pass>& passes, torch::Tensor target, Loss loss);

  const std::vector<Pass>& passes;  ///< passes[i] is the first pass of layer i

  /// What is expected, as the step was given it.
  const torch::Tensor& target() const { return target_; }

  /// L of the first pass, a scalar.
  torch::Tensor loss() const { return value_.detach(); }
  /// Its gradient at the network's output (of the batch's mean: a sample's own error is batch times its row).
  const torch::Tensor& dL_dy() const;

  /// L at another output.
  torch::Tensor loss_at(const torch::Tensor& output) const;
  /// Its gradient there, of the batch's mean.
  torch::Tensor gradient_at(const torch::Tensor& output) const;

 private:
  torch::Tensor value_of(const torch::Tensor& output) const;

  std::string rule_;
  torch::Tensor target_;
  Loss loss_;
  torch::Tensor output_, value_;  // with the graph between them
  mutable torch::Tensor dL_dy_;
};

struct TrueGradient;

/// The interface of every update rule. A new rule implements `name` and `teach`.
class Rule {
 public:
  virtual ~Rule() = default;

  /// As it stands in tables and on the command line, e.g. "tpfp".
  virtual std::string name() const = 0;

  /// One step: a forward pass, the loss and its gradient at the output, then `teach`. Adds to the `.grad` of
  /// the parameters that the rule trains and that are not frozen (freeze.h); the caller zeroes them before
  /// and steps the optimiser after. Throws c10::ValueError if nothing in the network learns, if the loss is
  /// not a finite real scalar, and in c10::InferenceMode, for its tensors too.
  ///
  /// Warns once if a block gets a gradient of exactly zero in the rule's first steps, and where the light
  /// goes.
  StepResult step(HybridImpl& model, const torch::Tensor& input, const torch::Tensor& target,
                  const Loss& loss);

  /// Takes what it needs of the network before its first step; by default nothing. `step` calls it.
  virtual void meet(HybridImpl& model) {}

  /// Measures of the last step beyond the loss, by name; a trainer logs the means of an
  /// epoch.
  virtual std::map<std::string, double> measures() const { return {}; }

  /// False for a rule that writes the parameters itself, by what it has seen of its batches: ranks that share
  /// batches would write different ones.
  virtual bool teaches_by_gradients() const { return true; }

  /// State by which a run continues as if it had never stopped; by default nothing.
  virtual std::map<std::string, torch::Tensor> state() const { return {}; }
  /// Throws c10::ValueError, with nothing changed, if the state is another rule's.
  virtual void load_state(const std::map<std::string, torch::Tensor>& state) {}

 protected:
  /// True if `teach` pulls the first pass back; if not, it keeps nothing and costs less.
  virtual Keep keep_of_first_pass() const { return Keep::context; }

  /// The first pass, by layer number. A rule that needs less than all of it may leave passes empty, but for
  /// the last one's output.
  virtual std::vector<Pass> first_pass(HybridImpl& model, const torch::Tensor& input);

  /// Sends a signal into every block that is to learn. A rule without gradients may write to the parameters
  /// itself, under a torch::NoGradGuard, and leave `.grad` undefined: optimisers then pass them over.
  virtual void teach(HybridImpl& model, const Lesson& lesson) = 0;

  /// Trains the head (the last block with parameters) by the exact gradient at these passes, which needs no
  /// transport. Returns the gradient at its input if `to_input`.
  static torch::Tensor teach_head(HybridImpl& model, const std::vector<Pass>& passes,
                                  const torch::Tensor& dL_dy, bool to_input = false);

  /// Trains every block by the exact gradient, from the last down to the first that has parameters; the
  /// signal enters by `hook`.
  static void teach_backwards(HybridImpl& model, const std::vector<Pass>& passes, const torch::Tensor& dL_dy,
                              Hook hook = &Layer::pullback);

  /// Leaves gradients of exactly zero unmentioned: for a rule whose updates have them by design.
  void watch_nothing();

 private:
  friend std::vector<double> alignment(Rule& rule, HybridImpl& model, const torch::Tensor& input,
                                       const torch::Tensor& target, const Loss& loss,
                                       const std::optional<TrueGradient>& truth);
  void watch(HybridImpl& model, const std::vector<Pass>& passes);
  int watched_ = 0;                 ///< steps whose gradients were looked at
  std::vector<int> without_slope_;  ///< of each block, how many of them in a row gave it exactly zero
};

}  // namespace optotorch
