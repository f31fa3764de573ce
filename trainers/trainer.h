#pragma once

#include <optotorch/modules/hybrid.h>
#include <optotorch/trainers/batch_source.h>
#include <optotorch/trainers/distributed.h>
#include <optotorch/trainers/metrics.h>
#include <optotorch/trainers/rules/alignment.h>
#include <optotorch/trainers/schedule.h>
#include <torch/arg.h>
#include <torch/optim/optimizer.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace optotorch {

struct EpochReport;
/// Receives the report of an epoch that has ended, and the network.
using EpochCallback = std::function<void(const EpochReport& report, HybridImpl& model)>;

/// Options for Trainer.
struct TrainerOptions {
  /// Times through the training set, at least 1.
  TORCH_ARG(int64_t, epochs) = 1;
  /// Multiplies every parameter group's learning rate, step by step.
  TORCH_ARG(Schedule, schedule) = constant_schedule();
  /// Metric that is logged beside the loss, under its name, and decides which epoch is the best.
  TORCH_ARG(Metric, metric) = accuracy;
  /// Folder, made if absent, for `checkpoint.safetensors` and `metrics.jsonl`; empty: nothing is written.
  TORCH_ARG(std::string, folder) = "";
  /// Continue from the folder's checkpoint if there is one.
  TORCH_ARG(bool, resume) = false;
  /// A checkpoint is written at the end of every epoch, and within one after so many seconds (0: never).
  TORCH_ARG(double, checkpoint_seconds) = 30;
  /// Steps between checkpoints within an epoch; 0: none.
  TORCH_ARG(int64_t, checkpoint_steps) = 0;
  /// Progress and a line per epoch on standard error.
  TORCH_ARG(bool, progress) = true;
  /// Log the cosine between the rule's update and the true gradient on each epoch's first batch.
  TORCH_ARG(bool, alignment) = false;
  /// Where that comes from, if not from back-propagation through the network itself.
  TORCH_ARG(std::optional<TrueGradient>, truth) = std::nullopt;
  /// Called behind every epoch with its report and the network, by the rank that writes: for dashboards. What it throws
  /// ends the training, which can be resumed.
  TORCH_ARG(EpochCallback, on_epoch) = nullptr;
  /// Ranks that train together: each takes its part of every batch, and what they learn from it is added up. A
  /// batch of n samples on several ranks is one of n samples on one, but for the order of additions. Rank 0 writes
  /// the folder, which all must see to resume; any number of ranks goes on with a run. What layers draw from
  /// LibTorch's generator differs between ranks; noise by a layer's own seed (Photodetector, Camera) is that of the
  /// same place in a batch on each. Metrics are those of the whole. Null: this process alone.
  TORCH_ARG(std::shared_ptr<Distributed>, distributed) = nullptr;
  /// Every rank has a system in a laboratory of its own, and corrections of it: parameters that the optimiser
  /// steps are shared, all else is not, and each rank keeps a checkpoint, `checkpoint-rank1.safetensors`.
  TORCH_ARG(bool, own_hardware) = false;
};

/// Results of one epoch. Training figures are means over its steps, as they were taken. The accuracies are
/// what the run's metric is, if that is another.
struct EpochReport {
  int64_t epoch = 0;                            ///< counted from 1
  double train_loss = 0,                        ///< loss in training mode
      train_accuracy = 0;                       ///< metric in training mode
  std::optional<double> validation_accuracy,    ///< metric in eval mode; empty without a validation set
      test_accuracy;                            ///< the same for the test set
  double seconds = 0;                           ///< of training; evaluation is not counted
  std::vector<double> alignment;                ///< per block with parameters; empty unless asked for
  std::map<std::string, double> measures = {};  ///< what the rule says of its steps: means (Rule::measures)
  std::string metric = "accuracy";              ///< name of what the accuracies are

  /// One line of metrics.jsonl.
  std::string to_json() const;
  /// Its inverse. Throws c10::ValueError for anything else.
  static EpochReport from_json(const std::string& line);
};

/// Results of a run.
struct FitResult {
  /// Reports of all complete epochs, including those before a resumption.
  std::vector<EpochReport> epochs;
  bool interrupted = false;  ///< by a signal (interrupt.h); a checkpoint was written if there is a folder
  bool resumed = false;      ///< from a checkpoint
  /// Weights of the best epoch on the validation set; empty without one. The model itself holds the last
  /// epoch's.
  std::map<std::string, torch::Tensor> best_weights;
};

class Moment;
class Team;
struct RunPosition;

/// The training loop: a network, a rule, an optimiser and a loss, any of each.
///
/// A run that is killed at any instant and resumed ends with the same bits as one that never stopped, given
/// the same number of threads: weights, optimiser, rule, LibTorch's random state and the position within the
/// epoch are saved, and batches are pure functions of (epoch, index). With more epochs it goes on, finished
/// or not; a schedule then counts on the larger number.
///
/// If anything throws, a batch, a measurement, a loss that is not finite, the state after the last whole step
/// is saved before the exception goes on; before the first step nothing is written.
///
/// An optimiser that asks for the loss several times a step (LBFGS) sees one function of the weights: each
/// time the rule steps on the same batch, from the rule's state, the network's buffers and the random state
/// as they were before the step, so that noise and whatever else is drawn is the same, and a rule that learns
/// beside the network, as `dat` does, begins again; what the last time leaves stays. A system in a laboratory
/// is measured each time, with the noise that it has. Loss and metric are those of the first time.
class Trainer {
 public:
  /// Throws c10::ValueError for less than one epoch, a metric without a name or named "loss", and, with `distributed`,
  /// a rule that does not teach by gradients (Rule::teaches_by_gradients).
  Trainer(Hybrid model, std::shared_ptr<Rule> rule, std::shared_ptr<torch::optim::Optimizer> optimizer,
          Loss loss, TrainerOptions options = {});

  /// Trains; after every epoch evaluates on the sets that are given. Throws c10::ValueError if `train` is
  /// empty, if a loss is not finite, if the checkpoint does not fit, and, of several ranks, if they do not begin
  /// alike or one is lost (distributed.h).
  FitResult fit(const BatchSource& train, const BatchSource* validation = nullptr,
                const BatchSource* test = nullptr);

 private:
  void train_epoch(const BatchSource& train, RunPosition& position);
  void finish_epoch(const BatchSource* validation, const BatchSource* test, RunPosition& position);
  void train_step(const Batch& batch, int64_t samples, int64_t step, int64_t total, RunPosition& position);
  double metric_of(const BatchSource& source);
  void save(const RunPosition& position);
  void save_after_failure(const RunPosition& position);
  bool load(int64_t per_epoch, RunPosition& position);
  void choose_checkpoint(const std::string& path, int64_t per_epoch) const;
  void write_log(const RunPosition& position) const;

  Hybrid model_;
  std::shared_ptr<Rule> rule_;
  std::shared_ptr<torch::optim::Optimizer> optimizer_;
  Loss loss_;
  TrainerOptions options_;
  std::vector<double> base_rates_;
  bool evaluates_once_ = false;
  std::shared_ptr<Team> team_;
  bool ends_ = false, saves_ = false;  // what the ranks agreed on in the last step
  std::shared_ptr<Moment> unsaved_;    // after the last whole step, until it's on disk
};

}  // namespace optotorch
