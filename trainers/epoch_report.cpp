#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/trainers/detail/report_json.h>
#include <optotorch/trainers/trainer.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace optotorch {
namespace {

using ordered_json = nlohmann::ordered_json;

ordered_json as_json(const EpochReport& report) {
  const auto optional = [](const std::optional<double>& value) {
    return value ? ordered_json(*value) : ordered_json(nullptr);
  };
  ordered_json line{{"epoch", report.epoch},
                    {"train_loss", report.train_loss},
                    {"train_" + report.metric, report.train_accuracy},
                    {"validation_" + report.metric, optional(report.validation_accuracy)},
                    {"test_" + report.metric, optional(report.test_accuracy)},
                    {"seconds", report.seconds}};
  if (report.metric != default_metric) {
    line["metric"] = report.metric;
  }
  if (!report.alignment.empty()) {
    auto& cosines = line["alignment"] = ordered_json::array();
    for (const double cosine : report.alignment) {
      cosines.push_back(std::isfinite(cosine) ? ordered_json(cosine) : ordered_json(nullptr));
    }
  }
  for (const auto& [name, value] : report.measures) {
    line["measures"][name] = std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr);
  }
  return line;
}

int64_t line_number(const nlohmann::json& value) {
  OPTOTORCH_CHECK(value.is_number_integer(), .where = "EpochReport", .argument = "line",
                  .expected = "a whole number", .got = value.dump(), .remedy = "The file is damaged");
  return value.get<int64_t>();
}

EpochReport report_of(const nlohmann::json& line) {
  const auto optional = [](const nlohmann::json& value) {
    return value.is_null() ? std::nullopt : std::optional<double>(value.get<double>());
  };
  const std::string metric = line.value("metric", default_metric);
  EpochReport report{line_number(line.at("epoch")),
                     number_or_nan(line.at("train_loss")),
                     number_or_nan(line.at("train_" + metric)),
                     optional(line.at("validation_" + metric)),
                     optional(line.at("test_" + metric)),
                     line.at("seconds").get<double>(),
                     {},
                     {},
                     metric};
  if (line.contains("alignment")) {
    for (const auto& cosine : line["alignment"]) {
      report.alignment.push_back(number_or_nan(cosine));
    }
  }
  if (line.contains("measures")) {
    for (const auto& [name, value] : line["measures"].items()) {
      report.measures[name] = number_or_nan(value);
    }
  }
  return report;
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

}  // namespace optotorch
