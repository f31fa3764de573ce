#pragma once

#include <optotorch/modules/hybrid.h>
#include <optotorch/trainers/batch_source.h>
#include <optotorch/trainers/metrics.h>
#include <optotorch/trainers/rules/rule.h>
#include <optotorch/trainers/schedule.h>
#include <torch/arg.h>
#include <torch/optim/optimizer.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace optotorch {

/// Options for Trainer.
struct TrainerOptions {
  /// Times through the training set, at least 1.
  TORCH_ARG(int64_t, epochs) = 1;
  /// Multiplies every parameter group's learning rate, step by step.
  TORCH_ARG(Schedule, schedule) = constant_schedule();
  /// What is logged beside the loss, under its name, and decides which epoch is the best.
  TORCH_ARG(Metric, metric) = accuracy;
  /// Folder, made if absent, for `checkpoint.safetensors` and `metrics.jsonl`; empty: nothing is written.
  TORCH_ARG(std::string, folder) = "";
  /// Continue from the folder's checkpoint if there is one.
  TORCH_ARG(bool, resume) = false;
  /// A checkpoint is written at the end of every epoch, and within one after so many seconds or steps (0:
  /// never).
  TORCH_ARG(double, checkpoint_seconds) = 30;
  TORCH_ARG(int64_t, checkpoint_steps) = 0;
  /// Progress and a line per epoch on standard error.
  TORCH_ARG(bool, progress) = true;
  /// Log the cosine between the rule's update and the true gradient on each epoch's first batch.
  TORCH_ARG(bool, alignment) = false;
  /// Where that comes from, if not from back-propagation through the network itself.
  TORCH_ARG(std::optional<TrueGradient>, truth) = std::nullopt;
};

/// What one epoch brought. Training figures are means over its steps, as they were taken. The accuracies are
/// what the run's metric is, if that is another.
struct EpochReport {
  int64_t epoch = 0;  ///< counted from 1
  double train_loss = 0, train_accuracy = 0;
  std::optional<double> validation_accuracy, test_accuracy;
  double seconds = 0;                           ///< of training; evaluation is not counted
  std::vector<double> alignment;                ///< per block with parameters; empty unless asked for
  std::map<std::string, double> measures = {};  ///< what the rule says of its steps: means (Rule::measures)
  std::string metric = "accuracy";              ///< name of what the accuracies are

  /// One line of metrics.jsonl.
  std::string to_json() const;
  /// Its inverse. Throws c10::ValueError for anything else.
  static EpochReport from_json(const std::string& line);
};

struct FitResult {
  std::vector<EpochReport> epochs;
  bool interrupted = false;  ///< by SIGINT or SIGTERM; a checkpoint was written
  bool resumed = false;      ///< from a checkpoint
  /// Weights of the best epoch on the validation set; empty without one. The model itself holds the last
  /// epoch's.
  std::map<std::string, torch::Tensor> best_weights;
};

/// The training loop: a network, a rule, an optimiser and a loss, any of each.
///
/// A run that is killed at any instant and resumed ends with the same bits as one that never stopped, given
/// the same number of threads: weights, optimiser, rule, LibTorch's random state and the position within the
/// epoch are saved, and batches are pure functions of (epoch, index).
class Trainer {
 public:
  Trainer(Hybrid model, std::shared_ptr<Rule> rule, std::shared_ptr<torch::optim::Optimizer> optimizer,
          Loss loss, TrainerOptions options = {});

  /// Trains; after every epoch evaluates on the sets that are given. Throws c10::ValueError if `train` is
  /// empty, if a loss is not finite, or if the checkpoint does not fit.
  FitResult fit(const BatchSource& train, const BatchSource* validation = nullptr,
                const BatchSource* test = nullptr);

 private:
  struct Position;
  void train_step(const Batch& batch, int64_t step, int64_t total, Position& position);
  void save(const Position& position) const;
  bool load(Position& position);
  void write_log(const Position& position) const;

  Hybrid model_;
  std::shared_ptr<Rule> rule_;
  std::shared_ptr<torch::optim::Optimizer> optimizer_;
  Loss loss_;
  TrainerOptions options_;
  std::vector<double> base_rates_;
};

}  // namespace optotorch
