#include <ATen/ATen.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/checkpoint.h>
#include <optotorch/trainers/detail/moment.h>
#include <optotorch/trainers/detail/progress.h>
#include <optotorch/trainers/detail/report_json.h>
#include <optotorch/trainers/detail/run_position.h>
#include <optotorch/trainers/detail/step_sums.h>
#include <optotorch/trainers/detail/team.h>
#include <optotorch/trainers/interrupt.h>
#include <optotorch/trainers/model_device.h>
#include <optotorch/trainers/trainer.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <utility>

namespace optotorch {
namespace {

/// Behind the name of a checkpoint that not all ranks are known to have yet.
constexpr char unagreed[] = ".next";

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// For people: an accuracy in per cent, any other metric as it is.
std::string shown(const std::optional<double>& value, const Metric& metric) {
  if (!value) {
    return "-";
  }
  if (metric.name == default_metric) {
    return c10::str(std::round(*value * 10000) / 100, " %");
  }
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.4f", *value);
  return digits;
}

/// True if `value` is finite and better than those of all epochs before.
bool is_best(double value, const std::vector<EpochReport>& before, const Metric& metric) {
  const auto is_beaten = [&](const EpochReport& report) {
    const double earlier = report.validation_accuracy.value_or(std::nan(""));
    return !std::isfinite(earlier) || metric.is_better(value, earlier);
  };
  return std::isfinite(value) && std::all_of(before.begin(), before.end(), is_beaten);
}

}  // namespace

Trainer::Trainer(Hybrid model, std::shared_ptr<Rule> rule, std::shared_ptr<torch::optim::Optimizer> optimizer,
                 Loss loss, TrainerOptions options)
    : model_(std::move(model)),
      rule_(std::move(rule)),
      optimizer_(std::move(optimizer)),
      loss_(std::move(loss)),
      options_(std::move(options)) {
  OPTOTORCH_CHECK(options_.epochs() >= 1, .where = "Trainer", .argument = "epochs", .expected = "at least 1",
                  .got = std::to_string(options_.epochs()));
  const auto& metric = options_.metric().name;
  OPTOTORCH_CHECK(!metric.empty() && metric != "loss", .where = "Trainer", .argument = "metric",
                  .expected = "a name that is neither empty nor 'loss'", .got = "'" + metric + "'");
  for (const auto& group : optimizer_->param_groups()) {
    base_rates_.push_back(group.options().get_lr());
  }
  evaluates_once_ = evaluates_once(*optimizer_);
  OPTOTORCH_CHECK(options_.distributed() == nullptr || rule_->teaches_by_gradients(), .where = "Trainer",
                  .argument = "distributed", .expected = "a rule that teaches by gradients",
                  .got = "'" + rule_->name() + "', which writes the parameters itself",
                  .remedy = "Train it in one process");
  team_ = std::make_shared<Team>(options_.distributed(), options_.own_hardware());
  options_.progress(options_.progress() && team_->speaks());
}

FitResult Trainer::fit(const BatchSource& train, const BatchSource* validation, const BatchSource* test) {
  OPTOTORCH_CHECK(train.size() > 0, .where = "Trainer", .argument = "train", .expected = "at least one batch",
                  .got = "none", .remedy = "Is the batch larger than the data set, with drop_last?");
  const InterruptGuard interrupt;
  RunPosition position;
  if (!options_.folder().empty()) {
    position.result.resumed = options_.resume() && load(train.size(), position);
  }
  team_->require_same_start(*model_, train, c10::str("epoch ", position.epoch, " batch ", position.batch));
  if (position.result.resumed) {
    write_log(position);
  }
  model_->train();
  unsaved_.reset();
  try {
    while (position.epoch < options_.epochs() && !position.result.interrupted) {
      train_epoch(train, position);
      if (!position.result.interrupted) {
        finish_epoch(validation, test, position);
      }
    }
  } catch (...) {
    save_after_failure(position);
    throw;
  }
  return position.result;
}

void Trainer::train_epoch(const BatchSource& train, RunPosition& position) {
  const int64_t per_epoch = train.size();
  auto last_saved = std::chrono::steady_clock::now();
  Progress progress(c10::str("epoch ", position.epoch + 1, "/", options_.epochs()), per_epoch,
                    options_.progress(), position.batch,
                    (options_.epochs() - position.epoch - 1) * per_epoch);
  while (position.batch < per_epoch) {
    const auto start = std::chrono::steady_clock::now();
    const auto [given, samples] = team_->part(train, position.epoch, position.batch);
    const auto batch = on_device_of(*model_, given);
    if (options_.alignment() && position.batch == 0) {
      position.alignment = alignment(*rule_, *model_, batch.data, batch.target, loss_, options_.truth());
    }
    const bool is_time =
        options_.checkpoint_seconds() > 0 && seconds_since(last_saved) > options_.checkpoint_seconds();
    ends_ = InterruptGuard::requested();
    saves_ = is_time ||
             (options_.checkpoint_steps() > 0 && (position.batch + 1) % options_.checkpoint_steps() == 0);
    train_step(batch, samples, position.epoch * per_epoch + position.batch, options_.epochs() * per_epoch,
               position);
    ++position.batch;
    position.seconds += seconds_since(start);
    if (!options_.folder().empty() && team_->keeps_checkpoint()) {
      unsaved_ = std::make_shared<Moment>(*model_, *optimizer_, *rule_);
    }
    const auto seen = static_cast<double>(position.samples);
    char metrics[96];
    std::snprintf(metrics, sizeof metrics, "loss %.4f  %s %.4f", position.loss_sum / seen,
                  options_.metric().name.c_str(), position.accuracy_sum / seen);
    progress.step(position.batch, batch.target.size(0), metrics);
    if (team_->alone()) {
      ends_ = InterruptGuard::requested();
    }
    if (ends_ || (saves_ && position.batch < per_epoch)) {
      save(position);
      last_saved = std::chrono::steady_clock::now();
    }
    if (ends_) {
      position.result.interrupted = true;
      return;
    }
  }
}

void Trainer::finish_epoch(const BatchSource* validation, const BatchSource* test, RunPosition& position) {
  RunPosition next;
  next.epoch = position.epoch + 1;
  next.result = position.result;
  EpochReport report{position.epoch + 1,
                     position.loss_sum / static_cast<double>(position.samples),
                     position.accuracy_sum / static_cast<double>(position.samples),
                     {},
                     {},
                     position.seconds,
                     position.alignment,
                     {},
                     options_.metric().name};
  for (const auto& [name, sum] : position.measure_sums) {
    report.measures[name] = sum / static_cast<double>(position.samples);
  }
  if (validation != nullptr) {
    report.validation_accuracy = metric_of(*validation);
    if (is_best(*report.validation_accuracy, position.result.epochs, options_.metric())) {
      next.result.best_weights = weights_of(*model_);
    }
  }
  if (test != nullptr) {
    report.test_accuracy = metric_of(*test);
  }
  if (options_.progress()) {
    std::fprintf(stderr, "epoch %lld/%lld  loss %.4f  train %s  validation %s  test %s  %.1f s\n",
                 static_cast<long long>(report.epoch), static_cast<long long>(options_.epochs()),
                 report.train_loss, shown(report.train_accuracy, options_.metric()).c_str(),
                 shown(report.validation_accuracy, options_.metric()).c_str(),
                 shown(report.test_accuracy, options_.metric()).c_str(), report.seconds);
  }
  next.result.epochs.push_back(std::move(report));
  save(next);
  write_log(next);
  position = std::move(next);
  if (options_.on_epoch() && team_->speaks()) {
    options_.on_epoch()(position.result.epochs.back(), *model_);
  }
}

double Trainer::metric_of(const BatchSource& source) {
  const auto part = evaluate_every(*model_, source, options_.metric(), team_->rank(), team_->size());
  const auto whole = team_->sum({part.sum, part.weight});
  return whole[1] > 0 ? whole[0] / whole[1] : 0;
}

void Trainer::train_step(const Batch& batch, int64_t samples, int64_t step, int64_t total,
                         RunPosition& position) {
  std::optional<Moment> before;
  if (!evaluates_once_ || !team_->alone()) {
    rule_->meet(*model_);  // before what it draws counts as the step's
  }
  if (!evaluates_once_) {
    before.emplace(*model_, *optimizer_, *rule_);
  }
  auto& groups = optimizer_->param_groups();
  const double factor = options_.schedule()(step, total);
  for (size_t i = 0; i < groups.size(); ++i) {
    groups[i].options().set_lr(base_rates_[i] * factor);
  }
  StepSums sums;
  const auto look = [&](bool is_first) {
    optimizer_->zero_grad();
    Team::Exchange exchange(*team_, *model_);
    const auto result = rule_->step(*model_, batch.data, batch.target, loss_);
    StepSums own(result, batch.target, samples, options_.metric(), rule_->measures());
    own.ends = ends_;
    own.saves = saves_;
    const auto whole = own.with(exchange.finish(*optimizer_, own.samples, own.values(team_->speaks())));
    if (is_first) {
      sums = whole;
    }
    return team_->alone() ? result.loss : at::scalar_tensor(whole.loss / whole.weight, result.loss.options());
  };
  const auto first = look(/*is_first=*/true);
  ends_ = sums.ends;
  saves_ = sums.saves;
  bool looked = true;  // before it is asked: an optimiser may leave its closure alone
  optimizer_->step([&] {
    if (std::exchange(looked, false)) {
      return first;
    }
    if (before) {
      before->rewind(*model_, *rule_);
    }
    return look(/*is_first=*/false);
  });
  sums.add_to(position);
}

void Trainer::save_after_failure(const RunPosition& position) {
  const auto moment = std::exchange(unsaved_, nullptr);
  if (moment == nullptr) {
    return;  // the last whole step is on disk, or there has been none
  }
  if (!team_->alone() && options_.own_hardware()) {
    return;  // the others' may be a step behind: what all have saved at once is where they go on
  }
  try {
    moment->restore(*model_, *optimizer_, *rule_);
    const auto parameters = model_->parameters();
    const bool usable = std::all_of(parameters.begin(), parameters.end(), [](const auto& parameter) {
      return at::isfinite(parameter.detach()).all().template item<bool>();
    });
    if (usable) {  // else the checkpoint before it is worth more
      save(position);
    }
  } catch (const std::exception&) {
    // The first failure is the one to tell.
  }
}

void Trainer::save(const RunPosition& position) {
  if (options_.folder().empty() || !team_->keeps_checkpoint()) {
    return;
  }
  std::error_code ignored;
  std::filesystem::create_directories(options_.folder(), ignored);  // if it fails, writing below says why
  const auto path = options_.folder() + "/" + team_->checkpoint_name();
  const auto file = team_->saves_together() ? path + unagreed : path;
  Checkpoint checkpoint{{{"trainer", position.to_json(options_.metric().name)}},
                        position.result.best_weights};
  if (team_->saves_together()) {
    checkpoint.progress["ranks"] = std::to_string(team_->size());
  }
  save_checkpoint(file, *model_, *optimizer_, *rule_, checkpoint);
  if (file != path) {
    team_->sum({});  // all have written theirs
    std::filesystem::rename(file, path);
  }
  unsaved_.reset();
}

/// A run may have been cut off while some ranks had put their new checkpoints in the old ones' places: the latest that
/// every rank has is the one to go on from.
void Trainer::choose_checkpoint(const std::string& path, int64_t per_epoch) const {
  const auto place_of = [&](const std::string& file) -> int64_t {
    try {
      const auto position = RunPosition::from_json(load_checkpoint_progress(file).at("trainer"), file,
                                                   options_.metric().name, options_.epochs(), per_epoch);
      return position.epoch * per_epoch + position.batch;
    } catch (const std::exception&) {
      return -1;  // there is none, or none that is whole
    }
  };
  const int64_t next = place_of(path + unagreed);
  const int64_t chosen = team_->latest_common({place_of(path), next});
  std::error_code ignored;
  if (chosen >= 0 && chosen == next) {
    std::filesystem::rename(path + unagreed, path);
  } else {
    std::filesystem::remove(path + unagreed, ignored);
  }
}

bool Trainer::load(int64_t per_epoch, RunPosition& position) {
  const std::string path = options_.folder() + "/" + team_->checkpoint_name();
  if (team_->saves_together()) {
    choose_checkpoint(path, per_epoch);
  }
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    return false;
  }
  const auto checkpoint = load_checkpoint(path, *model_, *optimizer_, *rule_, [&](const Checkpoint& found) {
    const auto text = found.progress.find("trainer");
    OPTOTORCH_CHECK(text != found.progress.end(), .where = "Trainer", .argument = path,
                    .expected = "a trainer's position", .got = "none");
    const auto ranks = found.progress.find("ranks");
    const auto now = std::to_string(team_->saves_together() ? team_->size() : 1);
    OPTOTORCH_CHECK(ranks == found.progress.end() || ranks->second == now, .where = "Trainer",
                    .argument = path, .expected = "as many ranks as hardware: " + ranks->second, .got = now,
                    .remedy = "Every rank keeps what it has learnt of its own system");
    position =
        RunPosition::from_json(text->second, path, options_.metric().name, options_.epochs(), per_epoch);
  });
  position.result.best_weights = checkpoint.best_weights;
  return true;
}

void Trainer::write_log(const RunPosition& position) const {
  if (options_.folder().empty() || !team_->speaks()) {
    return;
  }
  std::string lines;
  for (const auto& report : position.result.epochs) {
    lines += report.to_json() + "\n";
  }
  write_text_atomically(options_.folder() + "/metrics.jsonl", lines);
}

}  // namespace optotorch
