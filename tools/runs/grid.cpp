#include "runs/grid.h"

#include <c10/util/StringUtil.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "runs/settings.h"
#include "runs/words.h"

namespace optotorch::tools {
namespace {

constexpr char in_grid[] = "optotorch", rule_option[] = "set.";

/// Names by which a grid may call settings: options of `train` without dashes, names in config.json.
std::vector<std::string> grid_names() {
  std::vector<std::string> names;
  RunConfig plain;
  each_setting(plain, [&](const Setting& setting, auto& value) {
    if (setting.option != nullptr &&
        !std::is_same_v<std::decay_t<decltype(value)>, std::vector<std::string>>) {
      names.emplace_back(setting.option + 2);
      if (names.back() != setting.name) {
        names.emplace_back(setting.name);
      }
    }
  });
  return names;
}

/// The setting's name in config.json, however it is called here; what no setting is called stays.
std::string canonical(const std::string& name) {
  std::string found = name;
  const RunConfig plain;
  each_setting(plain, [&](const Setting& setting, const auto& /*value*/) {
    if (setting.option != nullptr && name == setting.option + 2) {
      found = setting.name;
    }
  });
  return found;
}

bool is_called(const Setting& setting, const std::string& name) {
  return name == setting.name || (setting.option != nullptr && name == setting.option + 2);
}

template <typename Number>
Number number_of(const std::string& axis, const std::string& text) {
  Number value{};
  const auto* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  OPTOTORCH_CHECK(error == std::errc() && stop == end, .where = in_grid, .argument = "--grid " + axis,
                  .expected = std::is_integral_v<Number> ? "whole numbers" : "numbers",
                  .got = "'" + text + "'");
  return value;
}

void set(RunConfig& config, const std::string& name, const std::string& text) {
  if (name.starts_with(rule_option)) {
    config.set.push_back(name.substr(std::size(rule_option) - 1) + "=" + text);
    return;
  }
  require_word(in_grid, "--grid", name, grid_names());
  each_setting(config, [&](const Setting& setting, auto& value) {
    using Value = std::decay_t<decltype(value)>;
    if (!is_called(setting, name)) {
      return;
    }
    if constexpr (std::is_same_v<Value, std::string>) {
      value = text;
    } else if constexpr (std::is_arithmetic_v<Value> && !std::is_same_v<Value, bool>) {
      value = number_of<Value>(name, text);
      check_range(setting, value);
    }
  });
}

}  // namespace

std::string GridPoint::title() const {
  std::vector<std::string> parts;
  for (const auto& [name, value] : values) {
    parts.push_back(name + "=" + value);
  }
  return c10::Join(" ", parts);
}

GridAxis parse_axis(const std::string& text) {
  const auto equals = text.find('=');
  OPTOTORCH_CHECK(equals != std::string::npos && equals > 0 && equals + 1 < text.size(), .where = in_grid,
                  .argument = "--grid", .expected = "SETTING=VALUE,VALUE,...", .got = "'" + text + "'",
                  .remedy = "E.g. --grid lr=0.001,0.01 --grid rule=bp,tpfp");
  GridAxis axis{text.substr(0, equals), split_at_commas(text.substr(equals + 1))};
  const std::set<std::string> different(axis.values.begin(), axis.values.end());
  OPTOTORCH_CHECK(!different.contains("") && different.size() == axis.values.size(), .where = in_grid,
                  .argument = "--grid " + axis.name,
                  .expected = "values that differ, with commas between them", .got = text.substr(equals + 1));
  return axis;
}

std::vector<GridPoint> grid_points(const std::vector<GridAxis>& axes, size_t most) {
  std::vector<GridPoint> points(1);
  std::set<std::string> names;
  for (const auto& axis : axes) {
    OPTOTORCH_CHECK(names.insert(canonical(axis.name)).second, .where = in_grid, .argument = "--grid",
                    .expected = "every setting once", .got = axis.name + " twice");
    OPTOTORCH_CHECK(points.size() <= most / axis.values.size(), .where = in_grid, .argument = "--grid",
                    .expected = c10::str("at most ", most, " combinations"), .got = "more");
    std::vector<GridPoint> longer;
    for (const auto& point : points) {
      for (const auto& value : axis.values) {
        longer.push_back(point);
        longer.back().values.emplace_back(axis.name, value);
      }
    }
    points = std::move(longer);
  }
  return points;
}

RunConfig at_point(RunConfig config, const GridPoint& point) {
  for (const auto& [name, value] : point.values) {
    set(config, name, value);
  }
  return config;
}

RunConfig read_settings(const std::string& path) {
  std::error_code ignored;
  const auto file = std::filesystem::is_directory(path, ignored) ? path + "/config.json" : path;
  const auto object = load_json(file, in_grid, "CONFIG", "settings as in a run's config.json",
                                "optotorch train --out RUN writes one");
  OPTOTORCH_CHECK(object.is_object(), .where = in_grid, .argument = file, .expected = "an object of settings",
                  .got = object.type_name());
  std::vector<std::string> known{"versions"};
  RunConfig config;
  each_setting(config, [&](const Setting& setting, auto& value) {
    known.emplace_back(setting.name);
    if (setting.option == nullptr || !object.contains(setting.name)) {
      return;  // what a run finds out is not said
    }
    try {
      object.at(setting.name).get_to(value);
    } catch (const nlohmann::json::exception& error) {
      reject({.where = in_grid,
              .argument = file + ": " + setting.name,
              .expected = "a value of its type",
              .got = object.at(setting.name).dump()});
    }
  });
  for (const auto& [name, value] : object.items()) {
    require_word(in_grid, file, name, known);
  }
  return config;
}

}  // namespace optotorch::tools
