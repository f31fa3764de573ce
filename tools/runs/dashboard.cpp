#include "runs/dashboard.h"

#include <ATen/ATen.h>
#include <optotorch/modules/optics/mzi_mesh.h>

#include <cmath>
#include <numbers>

#include "runs/pictures.h"
#include "runs/settings.h"

namespace optotorch::tools {
namespace {

TensorBoardWriterOptions options_of(int64_t epochs) {
  TensorBoardWriterOptions options;
  if (epochs > 0) {
    options.start_from(epochs + 1);
  }
  return options;
}

/// Angles from 0 to 2 pi as brightness; black where there is none.
at::Tensor grey(const at::Tensor& angles) {
  return (angles / (2 * std::numbers::pi)).nan_to_num(0).clamp(0, 1).to(at::kFloat);
}

std::map<std::string, Hyperparameter> hyperparameters(const RunConfig& config) {
  std::map<std::string, Hyperparameter> all;
  const RunConfig plain;
  std::map<std::string, std::string> usual;
  each_setting(plain,
               [&](const Setting& setting, const auto& value) { usual[setting.name] = c10::str(value); });
  each_setting(config, [&](const Setting& setting, const auto& value) {
    using Value = std::decay_t<decltype(value)>;
    if (setting.option == nullptr || usual[setting.name] == c10::str(value)) {
      return;
    }
    if constexpr (std::is_same_v<Value, std::string> || std::is_same_v<Value, double> ||
                  std::is_same_v<Value, int64_t>) {
      all[setting.name] = value;
    } else {
      all[setting.name] = c10::str(value);
    }
  });
  return all;
}

}  // namespace

Dashboard::Dashboard(const Run& run, const std::string& folder, int64_t epochs)
    : config_(run.config), writer_(folder, options_of(epochs)) {
  std::string settings;
  each_setting(config_, [&](const Setting& setting, const auto& value) {
    settings += c10::str("    ", setting.name, " ", value, "\n");  // as code
  });
  writer_.add_text("settings", settings, epochs);
  writer_.add_text("network", "```json\n" + run.network.text + "\n```", epochs);
}

void Dashboard::show(const EpochReport& report, HybridImpl& model) {
  const auto step = report.epoch;
  writer_.add_scalar("loss/train", report.train_loss, step);
  writer_.add_scalar(report.metric + "/train", report.train_accuracy, step);
  if (report.validation_accuracy) {
    writer_.add_scalar(report.metric + "/validation", *report.validation_accuracy, step);
  }
  if (report.test_accuracy) {
    writer_.add_scalar(report.metric + "/test", *report.test_accuracy, step);
  }
  writer_.add_scalar("seconds/epoch", report.seconds, step);
  for (const auto& [name, value] : report.measures) {
    writer_.add_scalar("rule/" + name, value, step);
  }
  for (size_t block = 0; block < report.alignment.size(); ++block) {
    writer_.add_scalar(c10::str("alignment/block ", block), report.alignment[block], step);
  }
  for (const auto& parameter : model.named_parameters()) {
    if (parameter.value().numel() > 0) {
      writer_.add_histogram("parameters/" + parameter.key(), parameter.value().detach(), step);
    }
  }
  for (const auto& module : model.named_modules("", /*include_self=*/false)) {
    const auto* const mesh = module.value()->as<MziMeshImpl>();
    if (mesh != nullptr && mesh->options.meshes() == 1) {
      writer_.add_image("phases/" + module.key(), grey(phase_map(*mesh)), step);
    }
  }
}

void Dashboard::end(const EpochReport& last, HybridImpl& model, const BatchSource* test) {
  if (test != nullptr && last.metric == "accuracy" && !model.parameters().empty()) {
    const auto counts = confusion_counts(model, *test, config_.classes).to(at::kFloat);
    const auto part = counts / counts.sum(1, /*keepdim=*/true).clamp_min(1);
    constexpr int64_t side = 16;  // of a cell, in pixels
    writer_.add_image("confusion", part.repeat_interleave(side, 0).repeat_interleave(side, 1), last.epoch);
  }
  std::map<std::string, double> results{{"result/train loss", last.train_loss}};
  if (last.validation_accuracy) {
    results["result/validation " + last.metric] = *last.validation_accuracy;
  }
  if (last.test_accuracy) {
    results["result/test " + last.metric] = *last.test_accuracy;
  }
  writer_.add_hparams(hyperparameters(config_), results, last.epoch);
  writer_.flush();
}

}  // namespace optotorch::tools
