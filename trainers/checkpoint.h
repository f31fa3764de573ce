#pragma once

#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/weights.h>
#include <optotorch/trainers/rules/rule.h>
#include <torch/optim/optimizer.h>

#include <functional>
#include <map>
#include <string>

namespace optotorch {

/// A point of a run from which it continues as if it had never stopped.
struct Checkpoint {
  std::map<std::string, std::string> progress;  ///< the trainer's own numbers, as text
  std::map<std::string, torch::Tensor>
      best_weights;  ///< of the best epoch on the validation set; may be empty
};

/// Writes model, what of it is frozen, optimiser, rule, LibTorch's random state and `checkpoint` into one
/// safetensors file, atomically, with what the network prints of itself and the optimiser's class: weights of
/// the same shapes mean something else in another network, and Adam's moments in AdamW.
void save_checkpoint(const std::string& path, const HybridImpl& model,
                     const torch::optim::Optimizer& optimizer, const Rule& rule,
                     const Checkpoint& checkpoint);

/// Reads it back into objects made the same way. `accept` may look at the rest of the file, and throw, while
/// nothing has changed yet. Throws c10::ValueError, naming the file, if it is damaged, no checkpoint, or
/// another network's, optimiser's or rule's; model, optimiser, rule and random state are then unchanged.
Checkpoint load_checkpoint(const std::string& path, HybridImpl& model, torch::optim::Optimizer& optimizer,
                           Rule& rule, const std::function<void(const Checkpoint&)>& accept = nullptr);

/// Only the weights: of the last step, or of the best epoch on the validation set.
/// Throws c10::ValueError also if `best` is asked for and there is none.
void load_checkpoint_weights(const std::string& path, HybridImpl& model, bool best = false);

/// Only the trainer's own numbers.
std::map<std::string, std::string> load_checkpoint_progress(const std::string& path);

/// Only what the rule remembered (Rule::state).
std::map<std::string, torch::Tensor> load_checkpoint_rule(const std::string& path);

}  // namespace optotorch
