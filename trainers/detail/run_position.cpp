#include <c10/util/StringUtil.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/trainers/detail/report_json.h>
#include <optotorch/trainers/detail/run_position.h>

#include <nlohmann/json.hpp>

namespace optotorch {
namespace {

using ordered_json = nlohmann::ordered_json;

int64_t position_number(const nlohmann::json& value) {
  OPTOTORCH_CHECK(value.is_number_integer(), .where = "Trainer", .argument = "position",
                  .expected = "a whole number", .got = value.dump(), .remedy = "The checkpoint is damaged");
  return value.get<int64_t>();
}

}  // namespace

std::string RunPosition::to_json(const std::string& metric) const {
  ordered_json epochs = ordered_json::array();
  for (const auto& report : result.epochs) {
    epochs.push_back(ordered_json::parse(report.to_json()));
  }
  ordered_json state{
      {"epoch", epoch},     {"batch", batch},     {"loss_sum", loss_sum},   {"accuracy_sum", accuracy_sum},
      {"seconds", seconds}, {"samples", samples}, {"alignment", alignment}, {"measure_sums", measure_sums},
      {"epochs", epochs}};
  if (metric != default_metric) {
    state["metric"] = metric;
  }
  return state.dump();
}

RunPosition RunPosition::from_json(const std::string& text, const std::string& path,
                                   const std::string& own_metric, int64_t all_epochs, int64_t per_epoch) {
  const auto demand = [&](bool holds, const std::string& expected, const std::string& got) {
    OPTOTORCH_CHECK(holds, .where = "Trainer", .argument = path, .expected = expected, .got = got,
                    .remedy = "The checkpoint is damaged, or of another run");
  };
  const auto state = parse_json(text, "Trainer", path, "a trainer's position", "The checkpoint is damaged");
  RunPosition position;
  std::string metric;
  try {
    metric = state.value("metric", default_metric);
    position.epoch = position_number(state.at("epoch"));
    position.batch = position_number(state.at("batch"));
    position.loss_sum = number_or_nan(state.at("loss_sum"));
    position.accuracy_sum = number_or_nan(state.at("accuracy_sum"));
    position.seconds = state.at("seconds").get<double>();
    position.samples = position_number(state.at("samples"));
    const auto& alignment = state.at("alignment");
    const auto& epochs = state.at("epochs");
    demand(alignment.is_array() && epochs.is_array(), "lists of cosines and of epochs", "others");
    for (const auto& cosine : alignment) {
      position.alignment.push_back(number_or_nan(cosine));
    }
    if (state.contains("measure_sums")) {  // older runs have none
      for (const auto& [name, sum] : state["measure_sums"].items()) {
        position.measure_sums[name] = number_or_nan(sum);
      }
    }
    for (const auto& line : epochs) {
      position.result.epochs.push_back(EpochReport::from_json(line.dump()));
    }
  } catch (const nlohmann::json::exception& error) {
    demand(false, "a trainer's position", json_complaint(error));
  }
  OPTOTORCH_CHECK(metric == own_metric, .where = "Trainer", .argument = "metric",
                  .expected = "'" + metric + "', as in " + path, .got = "'" + own_metric + "'",
                  .remedy = "Resume with the options that the run began with");
  const auto &epoch = position.epoch, &batch = position.batch;
  OPTOTORCH_CHECK(epoch >= 0 && batch >= 0 && batch <= per_epoch && epoch <= all_epochs, .where = "Trainer",
                  .argument = path,
                  .expected = c10::str("a run of ", all_epochs, " epochs of ", per_epoch, " batches"),
                  .got = c10::str("epoch ", epoch, ", batch ", batch),
                  .remedy = "Resume with the options that the run began with, or with more epochs");
  const auto& reports = position.result.epochs;
  bool in_order = static_cast<int64_t>(reports.size()) == epoch;
  for (size_t i = 0; in_order && i < reports.size(); ++i) {
    in_order = reports[i].epoch == static_cast<int64_t>(i) + 1 && reports[i].metric == metric;
  }
  demand(in_order, c10::str("the reports of ", epoch, " epochs"),
         c10::str(reports.size(), reports.size() == static_cast<size_t>(epoch) ? " others" : ""));
  demand(position.samples >= batch && (batch > 0 || position.samples == 0) && position.seconds >= 0,
         c10::str("what ", batch, " batches bring"), c10::str(position.samples, " samples"));
  return position;
}

}  // namespace optotorch
