#include <ATen/ATen.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/core/check.h>
#include <optotorch/core/json.h>
#include <optotorch/trainers/checkpoint.h>
#include <optotorch/trainers/interrupt.h>
#include <optotorch/trainers/progress.h>
#include <optotorch/trainers/trainer.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace optotorch {
namespace {

using json = nlohmann::ordered_json;

constexpr auto default_metric = "accuracy";  // goes without saying in metrics.jsonl

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

json as_json(const EpochReport& report) {
  const auto optional = [](const std::optional<double>& value) {
    return value ? json(*value) : json(nullptr);
  };
  json line{{"epoch", report.epoch},
            {"train_loss", report.train_loss},
            {"train_" + report.metric, report.train_accuracy},
            {"validation_" + report.metric, optional(report.validation_accuracy)},
            {"test_" + report.metric, optional(report.test_accuracy)},
            {"seconds", report.seconds}};
  if (report.metric != default_metric) {
    line["metric"] = report.metric;
  }
  if (!report.alignment.empty()) {
    auto& cosines = line["alignment"] = json::array();
    for (const double cosine : report.alignment) {
      cosines.push_back(std::isfinite(cosine) ? json(cosine) : json(nullptr));
    }
  }
  for (const auto& [name, value] : report.measures) {
    line["measures"][name] = std::isfinite(value) ? json(value) : json(nullptr);
  }
  return line;
}

EpochReport report_of(const nlohmann::json& line) {
  const auto optional = [](const nlohmann::json& value) {
    return value.is_null() ? std::nullopt : std::optional<double>(value.get<double>());
  };
  const std::string metric = line.value("metric", default_metric);
  EpochReport report{line.at("epoch").get<int64_t>(),
                     line.at("train_loss").get<double>(),
                     line.at("train_" + metric).get<double>(),
                     optional(line.at("validation_" + metric)),
                     optional(line.at("test_" + metric)),
                     line.at("seconds").get<double>(),
                     {},
                     {},
                     metric};
  if (line.contains("alignment")) {
    for (const auto& cosine : line["alignment"]) {
      report.alignment.push_back(cosine.is_null() ? std::nan("") : cosine.get<double>());
    }
  }
  if (line.contains("measures")) {
    for (const auto& [name, value] : line["measures"].items()) {
      report.measures[name] = value.is_null() ? std::nan("") : value.get<double>();
    }
  }
  return report;
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

/// Whether `value` is finite and better than those of all epochs before.
bool is_best(double value, const std::vector<EpochReport>& before, const Metric& metric) {
  const auto is_beaten = [&](const EpochReport& report) {
    const double earlier = report.validation_accuracy.value_or(std::nan(""));
    return !std::isfinite(earlier) || metric.is_better(value, earlier);
  };
  return std::isfinite(value) && std::all_of(before.begin(), before.end(), is_beaten);
}

}  // namespace

std::string EpochReport::to_json() const {
  return as_json(*this).dump();
}

EpochReport EpochReport::from_json(const std::string& line) {
  const auto parsed =
      parse_json(line, "EpochReport", "line", "a line of metrics.jsonl", "The file is damaged");
  try {
    return report_of(parsed);
  } catch (const nlohmann::json::exception& error) {
    reject({.where = "EpochReport",
            .argument = "line",
            .expected = "a line of metrics.jsonl",
            .got = "'" + line.substr(0, 100) + "': " + json_complaint(error),
            .remedy = "The file is damaged"});
  }
}

/// Where a run stands: everything that is not in model, optimiser, rule or generator.
struct Trainer::Position {
  int64_t epoch = 0;  // running, counted from 0
  int64_t batch = 0;  // next in that epoch
  double loss_sum = 0, accuracy_sum = 0, seconds = 0;
  int64_t samples = 0;
  std::vector<double> alignment;
  std::map<std::string, double> measure_sums;
  FitResult result;
};

Trainer::Trainer(Hybrid model, std::shared_ptr<Rule> rule, std::shared_ptr<torch::optim::Optimizer> optimizer,
                 Loss loss, TrainerOptions options)
    : model_(std::move(model)),
      rule_(std::move(rule)),
      optimizer_(std::move(optimizer)),
      loss_(std::move(loss)),
      options_(std::move(options)) {
  OPTOTORCH_CHECK(options_.epochs() >= 1, .where = "Trainer", .argument = "epochs", .expected = "at least 1",
                  .got = std::to_string(options_.epochs()), .remedy = "");
  const auto& metric = options_.metric().name;
  OPTOTORCH_CHECK(!metric.empty() && metric != "loss", .where = "Trainer", .argument = "metric",
                  .expected = "a name that is neither empty nor 'loss'", .got = "'" + metric + "'",
                  .remedy = "");
  for (const auto& group : optimizer_->param_groups()) {
    base_rates_.push_back(group.options().get_lr());
  }
}

FitResult Trainer::fit(const BatchSource& train, const BatchSource* validation, const BatchSource* test) {
  OPTOTORCH_CHECK(train.size() > 0, .where = "Trainer", .argument = "train", .expected = "at least one batch",
                  .got = "none", .remedy = "Is the batch larger than the data set, with drop_last?");
  const InterruptGuard interrupt;
  Position position;
  if (!options_.folder().empty()) {
    std::error_code ignored;
    std::filesystem::create_directories(options_.folder(), ignored);  // if it fails, writing below says why
    position.result.resumed = options_.resume() && load(position);
  }
  const int64_t per_epoch = train.size();
  OPTOTORCH_CHECK(position.batch <= per_epoch && position.epoch <= options_.epochs(), .where = "Trainer",
                  .argument = "checkpoint",
                  .expected = c10::str("a run of ", options_.epochs(), " epochs of ", per_epoch, " batches"),
                  .got = c10::str("epoch ", position.epoch, ", batch ", position.batch),
                  .remedy = "Resume with the options that the run began with");

  model_->train();
  for (; position.epoch < options_.epochs(); ++position.epoch) {
    auto last_saved = std::chrono::steady_clock::now();
    {
      Progress progress(c10::str("epoch ", position.epoch + 1, "/", options_.epochs()), per_epoch,
                        options_.progress(), position.batch,
                        (options_.epochs() - position.epoch - 1) * per_epoch);
      while (position.batch < per_epoch) {
        const auto start = std::chrono::steady_clock::now();
        const auto batch = train.batch(position.epoch, position.batch);
        if (options_.alignment() && position.batch == 0) {
          position.alignment = alignment(*rule_, *model_, batch.data, batch.target, loss_, options_.truth());
        }
        train_step(batch, position.epoch * per_epoch + position.batch, options_.epochs() * per_epoch,
                   position);
        ++position.batch;
        position.seconds += seconds_since(start);
        const auto samples = static_cast<double>(position.samples);
        char metrics[96];
        std::snprintf(metrics, sizeof metrics, "loss %.4f  %s %.4f", position.loss_sum / samples,
                      options_.metric().name.c_str(), position.accuracy_sum / samples);
        progress.step(position.batch, batch.target.size(0), metrics);
        const bool due =
            (options_.checkpoint_steps() > 0 && position.batch % options_.checkpoint_steps() == 0) ||
            (options_.checkpoint_seconds() > 0 && seconds_since(last_saved) > options_.checkpoint_seconds());
        if (InterruptGuard::requested() || (due && position.batch < per_epoch)) {
          save(position);
          last_saved = std::chrono::steady_clock::now();
        }
        if (InterruptGuard::requested()) {
          position.result.interrupted = true;
          return position.result;
        }
      }
    }
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
      report.validation_accuracy = evaluate(*model_, *validation, options_.metric());
      if (is_best(*report.validation_accuracy, position.result.epochs, options_.metric())) {
        position.result.best_weights = weights_of(*model_);
      }
    }
    if (test != nullptr) {
      report.test_accuracy = evaluate(*model_, *test, options_.metric());
    }
    if (options_.progress()) {
      std::fprintf(stderr, "epoch %lld/%lld  loss %.4f  train %s  validation %s  test %s  %.1f s\n",
                   static_cast<long long>(report.epoch), static_cast<long long>(options_.epochs()),
                   report.train_loss, shown(report.train_accuracy, options_.metric()).c_str(),
                   shown(report.validation_accuracy, options_.metric()).c_str(),
                   shown(report.test_accuracy, options_.metric()).c_str(), report.seconds);
    }
    position.result.epochs.push_back(std::move(report));
    Position next;
    next.epoch = position.epoch + 1;
    next.result = position.result;
    save(next);
    write_log(next);
    next.epoch = position.epoch;  // the loop counts
    position = std::move(next);
  }
  return position.result;
}

void Trainer::train_step(const Batch& batch, int64_t step, int64_t total, Position& position) {
  auto& groups = optimizer_->param_groups();
  const double factor = options_.schedule()(step, total);
  for (size_t i = 0; i < groups.size(); ++i) {
    groups[i].options().set_lr(base_rates_[i] * factor);
  }
  optimizer_->zero_grad();
  const auto result = rule_->step(*model_, batch.data, batch.target, loss_);
  optimizer_->step();
  const int64_t samples = options_.metric().weight(batch.target);
  position.loss_sum += result.loss.item<double>() * static_cast<double>(samples);
  position.accuracy_sum += options_.metric()(result.output, batch.target) * static_cast<double>(samples);
  for (const auto& [name, value] : rule_->measures()) {
    position.measure_sums[name] += value * static_cast<double>(samples);
  }
  position.samples += samples;
}

void Trainer::save(const Position& position) const {
  if (options_.folder().empty()) {
    return;
  }
  json epochs = json::array();
  for (const auto& report : position.result.epochs) {
    epochs.push_back(as_json(report));
  }
  json state{{"epoch", position.epoch},
             {"batch", position.batch},
             {"loss_sum", position.loss_sum},
             {"accuracy_sum", position.accuracy_sum},
             {"seconds", position.seconds},
             {"samples", position.samples},
             {"alignment", position.alignment},
             {"measure_sums", position.measure_sums},
             {"epochs", epochs}};
  if (options_.metric().name != default_metric) {
    state["metric"] = options_.metric().name;
  }
  save_checkpoint(options_.folder() + "/checkpoint.safetensors", *model_, *optimizer_, *rule_,
                  {{{"trainer", state.dump()}}, position.result.best_weights});
}

bool Trainer::load(Position& position) {
  const std::string path = options_.folder() + "/checkpoint.safetensors";
  if (!std::filesystem::exists(path)) {
    return false;
  }
  const auto checkpoint = load_checkpoint(path, *model_, *optimizer_, *rule_);
  const auto text = checkpoint.progress.find("trainer");
  OPTOTORCH_CHECK(text != checkpoint.progress.end(), .where = "Trainer", .argument = path,
                  .expected = "a trainer's position", .got = "none", .remedy = "");
  const auto state =
      parse_json(text->second, "Trainer", path, "a trainer's position", "The checkpoint is damaged");
  std::string metric;
  try {
    metric = state.value("metric", default_metric);
    position.epoch = state.at("epoch").get<int64_t>();
    position.batch = state.at("batch").get<int64_t>();
    position.loss_sum = state.at("loss_sum").get<double>();
    position.accuracy_sum = state.at("accuracy_sum").get<double>();
    position.seconds = state.at("seconds").get<double>();
    position.samples = state.at("samples").get<int64_t>();
    for (const auto& cosine : state.at("alignment")) {
      position.alignment.push_back(cosine.is_null() ? std::nan("") : cosine.get<double>());
    }
    if (state.contains("measure_sums")) {  // older runs have none
      for (const auto& [name, sum] : state["measure_sums"].items()) {
        position.measure_sums[name] = sum.is_null() ? std::nan("") : sum.get<double>();
      }
    }
    for (const auto& line : state.at("epochs")) {
      position.result.epochs.push_back(report_of(line));
    }
  } catch (const std::exception& error) {
    reject({.where = "Trainer",
            .argument = path,
            .expected = "a trainer's position",
            .got = json_complaint(error),
            .remedy = "The checkpoint is damaged"});
  }
  OPTOTORCH_CHECK(metric == options_.metric().name, .where = "Trainer", .argument = "metric",
                  .expected = "'" + metric + "', as in " + path, .got = "'" + options_.metric().name + "'",
                  .remedy = "Resume with the options that the run began with");
  OPTOTORCH_CHECK(position.epoch >= 0 && position.batch >= 0 && position.samples >= 0, .where = "Trainer",
                  .argument = path, .expected = "a position in a run", .got = "negative numbers",
                  .remedy = "");
  position.result.best_weights = checkpoint.best_weights;
  write_log(position);
  return true;
}

void Trainer::write_log(const Position& position) const {
  if (options_.folder().empty()) {
    return;
  }
  std::string lines;
  for (const auto& report : position.result.epochs) {
    lines += report.to_json() + "\n";
  }
  write_text_atomically(options_.folder() + "/metrics.jsonl", lines);
}

}  // namespace optotorch
