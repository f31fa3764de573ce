#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/core/input_file.h>
#include <optotorch/modules/component_table.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

namespace optotorch {
namespace {

constexpr char components_format[] = "optotorch-components-1";

const std::set<std::string>& known_figures() {
  static const std::set<std::string> all{figures::loss_db,
                                         figures::hold_mw,
                                         figures::use_pj,
                                         figures::rate_hz,
                                         figures::delay_s,
                                         figures::area_um2,
                                         figures::responsivity_a_per_w,
                                         figures::noise_a_per_rthz,
                                         figures::efficiency};
  return all;
}

}  // namespace

ComponentTable ComponentTable::parse(const std::string& json, const std::string& where,
                                     const std::string& argument) {
  const auto require = [&](bool holds, const std::string& place, const std::string& expected,
                           const std::string& got) {
    OPTOTORCH_CHECK(holds, .where = where, .argument = argument + (place.empty() ? "" : ": " + place),
                    .expected = expected, .got = got);
  };
  const auto object = parse_json(json, where, argument, "a table of components");
  require(object.is_object() && object.value("format", nlohmann::json()) == components_format &&
              object.contains("components") && object["components"].is_object(),
          "", c10::str("\"format\": \"", components_format, "\" and \"components\": {...}"),
          "something else");
  ComponentTable table;
  for (const auto& [kind, component] : object["components"].items()) {
    require(component.is_object(), kind, "an object of figures", component.type_name());
    auto& known = table.figures_[kind];
    for (const auto& [name, figure] : component.items()) {
      const auto place = kind + "." + name;
      require(known_figures().contains(name), place,
              "one of the figures " +
                  c10::Join(", ", std::vector<std::string>(known_figures().begin(), known_figures().end())),
              "'" + name + "'");
      require(figure.is_object() && figure.size() == 2 && figure.contains("value") &&
                  figure["value"].is_number() && figure.contains("source") && figure["source"].is_string() &&
                  !figure["source"].get<std::string>().empty(),
              place, R"({"value": a number, "source": where it was read})", figure.dump());
      const double value = figure["value"].get<double>();
      require(std::isfinite(value) && value >= 0, place, "a finite number, at least 0",
              figure["value"].dump());
      const bool divides =
          name == figures::efficiency || name == figures::responsivity_a_per_w || name == figures::rate_hz;
      require(!divides || value > 0, place, "a number above 0", figure["value"].dump());
      require(name != figures::efficiency || value <= 1, place, "at most 1", figure["value"].dump());
      known[name] = {value, figure["source"].get<std::string>()};
    }
  }
  return table;
}

ComponentTable ComponentTable::read(const std::string& path) {
  constexpr uint64_t most = 1 << 24;
  auto file = open_regular_file(path, "ComponentTable");
  OPTOTORCH_CHECK(file.size() <= most, .where = "ComponentTable", .argument = path,
                  .expected = c10::str("at most ", most, " bytes"), .got = std::to_string(file.size()));
  return parse(file.rest(), "ComponentTable", path);
}

std::optional<Figure> ComponentTable::find(const std::string& kind, const std::string& figure) const {
  const auto component = figures_.find(kind);
  OPTOTORCH_CHECK(component != figures_.end(), .where = "ComponentTable", .argument = "components",
                  .expected = "figures of '" + kind + "', which the network has", .got = "none",
                  .remedy = "Add the kind; {} says that nothing is known of it");
  const auto found = component->second.find(figure);
  return found == component->second.end() ? std::nullopt : std::optional<Figure>(found->second);
}

}  // namespace optotorch
