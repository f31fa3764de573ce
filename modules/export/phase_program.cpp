#include <ATen/ATen.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/core/npy.h>
#include <optotorch/modules/export/phase_program.h>
#include <optotorch/modules/laboratory/chips/heaters.h>
#include <optotorch/modules/stage.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <numbers>
#include <set>

namespace optotorch {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr char in_table[] = "CalibrationTable", in_program[] = "export_phase_program";
constexpr char calibration_format[] = "optotorch-calibration-1",
               program_format[] = "optotorch-phase-program-1";

/// The first element of `values` at which `bad` holds, in words.
std::string first_of(const torch::Tensor& bad, const torch::Tensor& values) {
  const int64_t at = bad.reshape(-1).to(at::kByte).argmax().item<int64_t>();
  return c10::str(values.reshape(-1)[at].item<double>(), " at element ", at, " of ", values.sizes());
}

/// Throws for the first element at which the hardware can't do what is asked.
void require_reached(const torch::Tensor& reached, const torch::Tensor& values, const std::string& what,
                     const std::string& expected) {
  OPTOTORCH_CHECK(reached.all().item<bool>(), .where = in_program, .argument = what, .expected = expected,
                  .got = first_of(reached.logical_not(), values),
                  .remedy = "Another calibration, or a network trained within what the hardware reaches");
}

/// A number for all elements of a command, or an array of its shape.
struct PerElement {
  torch::Tensor values;

  torch::Tensor like(const torch::Tensor& command, const std::string& what, const char* name) const {
    OPTOTORCH_CHECK(values.dim() == 0 || values.sizes() == command.sizes(), .where = in_program,
                    .argument = what, .expected = c10::str(name, " of its shape, ", command.sizes()),
                    .got = c10::str(values.sizes()));
    return values.expand_as(command);
  }
};

class Heater : public Calibration {
 public:
  PerElement p_pi_mw, offset{at::zeros({}, at::kDouble)};
  double most_mw = 0;
  double resistance_ohm = 0, full_scale_v = 0;  ///< 0: powers are given
  int64_t bits = 0;

  std::string unit() const override { return bits > 0 ? "DAC code" : "mW"; }

  torch::Tensor given_for(const torch::Tensor& values, double period,
                          const std::string& what) const override {
    const auto per_unit = p_pi_mw.like(values, what, "p_pi_mw") / std::numbers::pi;
    auto needed = values - offset.like(values, what, "offset");
    if (period > 0) {
      constexpr double rounding = 1e-6;  // of float32 parameters: a hair below 0 is 0, not a whole period
      needed = (needed + rounding * period).remainder(period).sub_(rounding * period).clamp_min_(0);
    }
    const auto power = needed * per_unit;
    require_reached(power >= 0, values, what, "values from its offset on");
    require_reached(power <= most_mw, values, what,
                    c10::str("phases that a heater reaches with at most ", most_mw, " mW"));
    if (bits == 0) {
      return power;
    }
    const double top = std::exp2(static_cast<double>(bits)) - 1;
    const auto codes = ((power * 1e-3 * resistance_ohm).sqrt() / full_scale_v * top).round();
    require_reached(codes <= top, values, what,
                    c10::str("phases that a converter of ", full_scale_v, " V reaches"));
    return codes;
  }
};

class Curve : public Calibration {
 public:
  std::string unit_;
  torch::Tensor given, values;  ///< [points], the latter rising

  std::string unit() const override { return unit_; }

  torch::Tensor given_for(const torch::Tensor& wanted, double period,
                          const std::string& what) const override {
    const double first = values[0].item<double>(), last = values[-1].item<double>();
    auto moved = wanted;
    if (period > 0) {
      moved = first + (wanted - first).remainder(period);
    }
    require_reached((moved >= first).logical_and(moved <= last), wanted, what,
                    c10::str("values of the calibration curve, ", first, " to ", last));
    const auto right =
        at::searchsorted(values, moved.contiguous(), false, /*right=*/true).clamp(1, values.numel() - 1);
    const auto left = right - 1;
    const auto x0 = values.take(left), x1 = values.take(right), y0 = given.take(left), y1 = given.take(right);
    return y0 + (moved - x0) / (x1 - x0) * (y1 - y0);
  }
};

/// Fields of a calibration, each looked up once.
class Fields {
 public:
  Fields(const Json& object, std::string place, fs::path folder)
      : object_(object), place_(std::move(place)), folder_(std::move(folder)) {
    require(object.is_object(), "", "an object", object.type_name());
  }

  std::string word(const char* name, const std::string& usual = "") {
    const auto* found = look(name);
    require(found == nullptr || found->is_string(), name, "a text", found == nullptr ? "" : found->dump());
    return found == nullptr ? usual : found->get<std::string>();
  }

  double number(const char* name, double least, double most, std::optional<double> usual = {}) {
    const auto* found = look(name);
    require(found != nullptr || usual, name, "a number", "none");
    require(found == nullptr || found->is_number(), name, "a number", found == nullptr ? "" : found->dump());
    const double value = found == nullptr ? *usual : found->get<double>();
    require(std::isfinite(value) && value >= least && value <= most, name, c10::str(least, " to ", most),
            c10::str(value));
    return value;
  }

  /// A number, or a .npy file beside the table.
  PerElement per_element(const char* name, double least, double most, std::optional<double> usual = {}) {
    if (const auto found = object_.find(name); found == object_.end() || !found->is_string()) {
      return {at::scalar_tensor(number(name, least, most, usual), at::kDouble)};
    }
    const auto values = load_npy((folder_ / word(name)).string());
    require(values.is_floating_point(), name, "an array of real numbers", describe(values));
    const auto all = values.to(at::kDouble);
    require(all.isfinite().all().item<bool>() && all.ge(least).all().item<bool>() &&
                all.le(most).all().item<bool>(),
            name, c10::str("numbers from ", least, " to ", most), "others");
    return {all};
  }

  torch::Tensor row(const char* name) {
    const auto* found = look(name);
    require(found != nullptr && found->is_array() && found->size() >= 2, name,
            "a list of at least two numbers", found == nullptr ? "none" : "something else");
    std::vector<double> values;
    for (const auto& one : *found) {
      require(one.is_number() && std::isfinite(one.get<double>()), name, "finite numbers", one.dump());
      values.push_back(one.get<double>());
    }
    return at::tensor(values, at::kDouble);
  }

  void require(bool holds, const std::string& name, const std::string& expected,
               const std::string& got) const {
    OPTOTORCH_CHECK(holds, .where = in_table, .argument = place_ + (name.empty() ? "" : "." + name),
                    .expected = expected, .got = got);
  }

  void expect_nothing_more() const {
    for (const auto& [name, value] : object_.items()) {
      require(looked_at_.contains(name), name, "no such field", "'" + name + "'");
    }
  }

 private:
  const Json* look(const char* name) {
    looked_at_.insert(name);
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }

  const Json& object_;
  std::string place_;
  fs::path folder_;
  std::set<std::string> looked_at_;
};

constexpr double huge = 1e12;

std::shared_ptr<const Calibration> read_heater(Fields& fields) {
  auto heater = std::make_shared<Heater>();
  heater->p_pi_mw = fields.per_element("p_pi_mw", 1e-12, huge);
  heater->offset = fields.per_element("offset", -huge, huge, 0);
  heater->most_mw = fields.number("most_mw", 0, huge);
  const double bits = fields.number("bits", 0, 32, 0);
  fields.require(bits == std::round(bits), "bits", "a whole number", c10::str(bits));
  heater->bits = static_cast<int64_t>(bits);
  if (heater->bits > 0) {
    heater->resistance_ohm = fields.number("resistance_ohm", 1e-12, huge);
    heater->full_scale_v = fields.number("full_scale_v", 1e-12, huge);
  }
  return heater;
}

std::shared_ptr<const Calibration> read_curve(Fields& fields) {
  auto curve = std::make_shared<Curve>();
  curve->unit_ = fields.word("unit", "as measured");
  curve->given = fields.row("given");
  curve->values = fields.row("values");
  fields.require(curve->given.sizes() == curve->values.sizes(), "values",
                 c10::str("as many as are given, ", curve->given.numel()),
                 std::to_string(curve->values.numel()));
  fields.require(curve->values.diff().gt(0).all().item<bool>(), "values", "numbers that rise", "others");
  return curve;
}

/// What is commanded together: a stage, or another layer of optics.
struct Commanded {
  std::string name, type;
  nlohmann::ordered_json options;
  Values commands;
};

/// Stages, and layers with a footprint beside them, in the order in which the network holds them; nothing twice.
std::vector<Commanded> commanded_in(const HybridImpl& model) {
  std::vector<Commanded> all;
  std::set<const at::TensorImpl*> taken;
  const auto take = [&](const std::string& name, const std::string& type, const std::string& options,
                        const Values& commands) {
    Commanded one{name, type, nlohmann::ordered_json::parse(options), {}};
    for (const auto& [command, tensor] : commands) {
      if (tensor.numel() > 0 && taken.insert(tensor.unsafeGetTensorImpl()).second) {
        one.commands[command] = tensor;
      }
    }
    if (!one.commands.empty()) {
      all.push_back(std::move(one));
    }
  };
  for (const auto& item : model.named_modules("", /*include_self=*/false)) {
    const auto* const layer = dynamic_cast<const Layer*>(item.value().get());
    if (layer == nullptr) {
      continue;
    }
    Values commands;
    const auto* const stage = dynamic_cast<const Stage*>(layer);
    for (const auto& parameter : layer->named_parameters(/*recurse=*/stage != nullptr)) {
      commands[parameter.key()] = parameter.value();
    }
    if (stage != nullptr) {
      take(item.key(), stage->design().type, stage->design().options, commands);
    } else if (!layer->footprint().empty()) {
      take(item.key(), layer->name(), "null", commands);
    }
  }
  return all;
}

/// After which a command means the same again; 0: never.
double period_of(const std::string& command) {
  static const std::map<std::string, double> angles{
      {"theta", theta_period}, {"phi", phi_period}, {"gamma", phi_period}, {"phase", phi_period}};
  const auto found = angles.find(command);
  return found == angles.end() ? 0 : found->second;
}

/// Files of a program, by name; nothing is on disk yet.
struct Program {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  std::vector<std::pair<std::string, torch::Tensor>> arrays;
  std::set<std::string> commands;
};

nlohmann::ordered_json entry_of(const std::string& stage, const std::string& type, const std::string& command,
                                const torch::Tensor& tensor, const CalibrationTable* calibration,
                                Program& program) {
  const auto values = tensor.detach().to(at::kDouble).contiguous();
  const double period = period_of(command);
  nlohmann::ordered_json entry{{"name", command},
                               {"shape", std::vector<int64_t>(values.sizes().begin(), values.sizes().end())},
                               {"unit", period > 0 ? "radians" : "as " + type + " has it"},
                               {"file", stage + "_" + command + ".npy"}};
  if (period > 0) {
    entry["period"] = period;
  }
  program.arrays.emplace_back(entry["file"], values);
  program.commands.insert(command);
  if (const auto* known = calibration == nullptr ? nullptr : calibration->find(command)) {
    const auto given = stage + "_" + command + "_given.npy";
    program.arrays.emplace_back(given, known->given_for(values, period, stage + ", " + command));
    entry["given"] = {{"file", given}, {"unit", known->unit()}};
  }
  return entry;
}

Program program_of(const HybridImpl& model, const CalibrationTable* calibration) {
  Program program;
  for (const auto& one : commanded_in(model)) {
    const auto stage = c10::str("stage", program.list.size());
    nlohmann::ordered_json commands = nlohmann::ordered_json::array();
    for (const auto& [command, tensor] : one.commands) {
      commands.push_back(entry_of(stage, one.type, command, tensor, calibration, program));
    }
    program.list.push_back(
        {{"name", one.name}, {"type", one.type}, {"options", one.options}, {"commands", commands}});
  }
  for (const auto& name : calibration == nullptr ? std::vector<std::string>() : calibration->names()) {
    OPTOTORCH_CHECK(program.commands.contains(name), .where = in_program, .argument = "calibration",
                    .expected = "commands that the network has: " +
                                c10::Join(", ", std::vector<std::string>(program.commands.begin(),
                                                                         program.commands.end())),
                    .got = "'" + name + "'");
  }
  return program;
}

}  // namespace

CalibrationTable CalibrationTable::read(const std::string& path) {
  const auto object = load_json(path, in_table, path, "a table of calibrations");
  const bool is_table = object.is_object() && object.value("format", Json()) == calibration_format &&
                        object.contains("commands") && object["commands"].is_object();
  OPTOTORCH_CHECK(is_table, .where = in_table, .argument = path,
                  .expected = c10::str("\"format\": \"", calibration_format, "\" and \"commands\": {...}"),
                  .got = "something else");
  CalibrationTable table;
  for (const auto& [command, description] : object["commands"].items()) {
    Fields fields(description, path + ": " + command, fs::path(path).parent_path());
    const auto kind = fields.word("kind");
    fields.require(kind == "heater" || kind == "curve", "kind", "heater or curve", "'" + kind + "'");
    table.calibrations_[command] = kind == "heater" ? read_heater(fields) : read_curve(fields);
    fields.expect_nothing_more();
  }
  return table;
}

const Calibration* CalibrationTable::find(const std::string& command) const {
  const auto found = calibrations_.find(command);
  return found == calibrations_.end() ? nullptr : found->second.get();
}

std::vector<std::string> CalibrationTable::names() const {
  std::vector<std::string> names;
  for (const auto& [name, calibration] : calibrations_) {
    names.push_back(name);
  }
  return names;
}

int64_t export_phase_program(const HybridImpl& model, const std::string& folder,
                             const CalibrationTable* calibration) {
  const torch::NoGradGuard no_grad;
  const auto program = program_of(model, calibration);
  OPTOTORCH_CHECK(!program.list.empty(), .where = in_program, .argument = "model",
                  .expected = "a network with optics that are commanded, such as a mesh",
                  .got = "one without");
  std::error_code error;
  const bool is_free =
      !fs::exists(folder, error) || (fs::is_directory(folder, error) && fs::is_empty(folder, error));
  OPTOTORCH_CHECK(is_free, .where = in_program, .argument = "folder", .expected = "a new or empty folder",
                  .got = folder);
  fs::create_directories(folder, error);  // if it fails, writing below says why
  const nlohmann::ordered_json list{{"format", program_format}, {"stages", program.list}};
  try {
    for (const auto& [name, values] : program.arrays) {
      save_npy(folder + "/" + name, values);
    }
    write_text_atomically(folder + "/program.json", list.dump(2) + "\n");
  } catch (...) {
    for (const auto& [name, values] : program.arrays) {
      fs::remove(folder + "/" + name, error);
    }
    throw;
  }
  return static_cast<int64_t>(program.list.size());
}

}  // namespace optotorch
