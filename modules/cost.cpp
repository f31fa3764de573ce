#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/cost.h>
#include <optotorch/modules/detail/eval_mode.h>
#include <optotorch/modules/detail/multiply_adds.h>
#include <optotorch/modules/electronic_block.h>
#include <optotorch/modules/optics/hop_options.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace optotorch {
namespace {

constexpr char in_cost[] = "cost_of";
constexpr double elementary_charge = 1.602176634e-19, pico = 1e-12, milli = 1e-3, um2_in_mm2 = 1e-6;

bool is_electronic(const Layer& layer) {
  return dynamic_cast<const ElectronicBlock*>(&layer) != nullptr;
}

/// True for a layer that light passes.
bool is_optical(const Layer& layer, const Pass& pass) {
  return !layer.footprint().empty() || pass.input.is_complex() || pass.output.is_complex() ||
         (!is_electronic(layer) && layer.role() != Layer::Role::response);
}

/// Figures of a table, and what it does not say.
class Known {
 public:
  Known(const ComponentTable& table, std::set<std::string>& unknown) : table_(table), unknown_(unknown) {}

  /// The value; 0, and remembered, if the table has none.
  double operator()(const std::string& kind, const char* figure) const {
    const auto found = table_.find(kind, figure);
    if (!found) {
      unknown_.insert(std::string(figure) + " of " + kind);
    }
    return found ? found->value : 0;
  }

  /// What one takes, joules: held for so long, and used so often. Unknown only if the table says neither.
  double energy(const std::string& kind, double seconds, double uses) const {
    const auto held = table_.find(kind, figures::hold_mw), used = table_.find(kind, figures::use_pj);
    if (!held && !used) {
      unknown_.insert("hold_mw and use_pj of " + kind);
    }
    return (held ? held->value * milli * seconds : 0) + (used ? used->value * pico * uses : 0);
  }

 private:
  const ComponentTable& table_;
  std::set<std::string>& unknown_;
};

/// The slowest of the components that are used pass by pass, converters too; 0 if none has a rate.
double rate_of(Footprint along, const ComponentTable& table) {
  along[parts::dacs] = along[parts::adcs] = 1;
  double least = 0;
  for (const auto& [kind, count] : along) {
    if (const auto rate = table.find(kind, figures::rate_hz); rate && count > 0) {
      least = least > 0 ? std::min(least, rate->value) : rate->value;
    }
  }
  return least;
}

/// Layers of one light, from the modulation to the detection.
LightCost begin_light(const std::vector<LayerCost>& layers, const std::vector<Pass>& passes, size_t first,
                      size_t last) {
  LightCost light;
  light.first = first;
  light.last = last;
  Footprint hardware;
  for (size_t n = first; n <= last; ++n) {
    add(light.along, layers[n].traversal.along);
    add(hardware, layers[n].footprint);
    light.passes = std::max(light.passes, layers[n].traversal.passes);
    light.readings += layers[n].traversal.detectors * layers[n].traversal.passes;
  }
  light.detectors = std::max(hardware[parts::detectors], (light.readings + light.passes - 1) / light.passes);
  const auto& input = passes[first].input;
  const int64_t values = input.numel() / input.size(0);
  light.inputs = (values + light.passes - 1) / light.passes;
  if (hardware.contains(parts::modulators)) {
    light.inputs = hardware[parts::modulators];
  } else if (!layers[first].footprint.contains(parts::pixels)) {
    light.along[parts::modulators] = 1;
  }
  return light;
}

void find_powers(LightCost& light, const ComponentTable& table, const Known& known,
                 const CostOptions& options, std::set<std::string>& unknown) {
  light.loss_db = loss_db_of(light.along, table, unknown) + known(parts::lasers, figures::loss_db);
  light.rate_hz = rate_of(light.along, table);
  if (light.rate_hz == 0) {
    unknown.insert("rate_hz of any component along the light");
    return;
  }
  light.seconds = static_cast<double>(light.passes) / light.rate_hz;
  const double responsivity = known(parts::detectors, figures::responsivity_a_per_w);
  const double efficiency = known(parts::lasers, figures::efficiency);
  if (light.detectors == 0) {
    unknown.insert(c10::str("detectors behind layer ", light.last));
  }
  if (responsivity == 0) {
    return;
  }
  light.detected_w = static_cast<double>(light.detectors) *
                     detector_power(std::pow(10, options.snr_db() / 10), light.rate_hz, responsivity,
                                    known(parts::detectors, figures::noise_a_per_rthz));
  light.light_w = light.detected_w * std::pow(10, light.loss_db / 10);
  light.laser_w = efficiency > 0 ? light.light_w / efficiency : 0;
}

/// Uses of all components of a kind, for a sample.
std::map<std::string, int64_t> uses_of(const NetworkCost& cost) {
  std::map<std::string, int64_t> uses;
  for (const auto& light : cost.lights) {
    const int64_t given = light.inputs * light.passes;
    uses[parts::dacs] += given;
    uses[light.along.contains(parts::modulators) ? parts::modulators : parts::pixels] += given;
    const bool by_camera = light.along.contains(parts::cameras);  // which digitises by itself
    uses[by_camera ? parts::cameras : parts::detectors] += light.readings;
    uses[parts::adcs] += by_camera ? 0 : light.readings;
  }
  return uses;
}

void add_energies(NetworkCost& cost, const Known& known) {
  auto uses = uses_of(cost);
  for (const auto& [kind, count] : cost.footprint) {
    const auto number = static_cast<double>(count);
    cost.area_mm2 += number * known(kind, figures::area_um2) * um2_in_mm2;
    if (kind != parts::lasers) {
      cost.hold_w += number * known.energy(kind, 1, 0);
      cost.energy_j[kind] = number * known.energy(kind, cost.interval_s, 0) +
                            known.energy(kind, 0, static_cast<double>(uses[kind]));
    }
  }
  for (const auto& light : cost.lights) {
    cost.energy_j[parts::lasers] += light.laser_w * light.seconds;
  }
  if (cost.electronic_multiply_adds > 0) {
    cost.energy_j[parts::electronics] =
        known.energy(parts::electronics, 0, static_cast<double>(cost.electronic_multiply_adds));
  }
}

void add_times(NetworkCost& cost, const ComponentTable& table, const Known& known) {
  for (const auto& light : cost.lights) {
    cost.interval_s = std::max(cost.interval_s, light.seconds);
    cost.latency_s += light.seconds;
    for (const auto& [kind, count] : light.along) {
      const auto delay = table.find(kind, figures::delay_s);
      cost.latency_s += delay ? static_cast<double>(count) * delay->value : 0;
    }
  }
  if (cost.electronic_multiply_adds == 0) {
    return;
  }
  if (const double rate = known(parts::electronics, figures::rate_hz); rate > 0) {
    const double seconds = static_cast<double>(cost.electronic_multiply_adds) / rate;
    cost.interval_s = std::max(cost.interval_s, seconds);
    cost.latency_s += seconds;
  }
}

void add_lights(NetworkCost& cost, const std::vector<Pass>& passes, const HybridImpl& model) {
  const size_t none = model.size();
  size_t first = none;
  for (size_t n = 0; n < model.size(); ++n) {
    const bool optical = is_optical(model.layer(n), passes[n]);
    if (optical && first == none) {
      first = n;
    }
    const bool detects = cost.layers[n].traversal.detectors > 0;
    const bool ends = n + 1 == model.size() || !is_optical(model.layer(n + 1), passes[n + 1]);
    if (first != none && (detects || ends)) {
      cost.lights.push_back(begin_light(cost.layers, passes, first, n));
      first = none;
    }
  }
}

/// Converters and a laser of a light; modulators and detectors that no layer of it brings.
void add_hardware(NetworkCost& cost, const LightCost& light) {
  Footprint own;
  for (size_t n = light.first; n <= light.last; ++n) {
    add(own, cost.layers[n].footprint);
  }
  auto& all = cost.footprint;
  all[parts::dacs] += light.inputs;
  all[parts::adcs] += light.along.contains(parts::cameras) ? 0 : light.detectors;
  all[parts::lasers] += 1;
  if (light.along.contains(parts::modulators) && own[parts::modulators] == 0) {
    all[parts::modulators] += light.inputs;
  }
  if (!light.along.contains(parts::cameras)) {
    all[parts::detectors] += std::max<int64_t>(0, light.detectors - own[parts::detectors]);
  }
}

}  // namespace

double loss_db_of(const Footprint& along, const ComponentTable& table, std::set<std::string>& unknown) {
  const Known known(table, unknown);
  double sum = 0;
  for (const auto& [kind, count] : along) {
    const bool ends_light = kind == parts::detectors || kind == parts::cameras;
    sum += count > 0 && !ends_light ? static_cast<double>(count) * known(kind, figures::loss_db) : 0;
  }
  return sum;
}

std::map<std::string, double> power_of(const Footprint& footprint, const ComponentTable& table,
                                       double rate_hz, std::set<std::string>& unknown) {
  const Known known(table, unknown);
  std::map<std::string, double> power;
  for (const auto& [kind, count] : footprint) {
    power[kind] = static_cast<double>(count) * known.energy(kind, 1, rate_hz);
  }
  return power;
}

double detector_power(double snr, double rate_hz, double responsivity_a_per_w, double noise_a_per_rthz) {
  const double bandwidth = rate_hz / 2, shot = snr * elementary_charge * bandwidth;
  const double current =
      shot + std::sqrt(shot * shot + snr * noise_a_per_rthz * noise_a_per_rthz * bandwidth);
  return current / responsivity_a_per_w;
}

double NetworkCost::total_energy_j() const {
  double sum = 0;
  for (const auto& [kind, joules] : energy_j) {
    sum += joules;
  }
  return sum;
}

NetworkCost cost_of(HybridImpl& model, const torch::Tensor& example, const ComponentTable& table,
                    const CostOptions& options) {
  OPTOTORCH_CHECK(std::isfinite(options.snr_db()) && options.snr_db() >= 0 && options.snr_db() <= 200,
                  .where = in_cost, .argument = "snr_db", .expected = "0 to 200 decibels",
                  .got = c10::str(options.snr_db()));
  OPTOTORCH_CHECK(example.defined() && example.dim() >= 1 && example.size(0) >= 1, .where = in_cost,
                  .argument = "example", .expected = "[batch, ...], at least one sample",
                  .got = describe(example));
  const torch::NoGradGuard no_grad;
  const EvalMode eval(model);
  const auto one = example.narrow(0, 0, 1);
  const auto passes = model.propagate(one, 0, Keep::nothing);
  NetworkCost cost;
  const Known known(table, cost.unknown);
  for (size_t n = 0; n < model.size(); ++n) {
    auto& layer = model.layer(n);
    LayerCost own{layer.name(), layer.footprint(), {}};
    const auto place = c10::str("layer ", n, " (", layer.name(), ")");
    if (is_optical(layer, passes[n]) && !is_electronic(layer)) {
      own.traversal = layer.traversal(passes[n]);
      const bool is_hidden = layer.role() == Layer::Role::response && own.footprint.empty() &&
                             own.traversal.along.empty() && passes[n].output.is_complex();
      if (is_hidden) {
        cost.unknown.insert("hardware of " + place);
      }
    } else {
      own.electronic_multiply_adds = multiply_adds_of([&] { layer.forward(passes[n].input); });
      if (!own.footprint.empty()) {
        for (const auto& [kind, count] : own.footprint) {
          own.traversal.along[kind] = 1;
        }
        cost.unknown.insert("passes and multiply-adds of light inside " + place);
      }
    }
    cost.optical_multiply_adds += own.traversal.multiply_adds;
    cost.electronic_multiply_adds += own.electronic_multiply_adds;
    add(cost.footprint, own.footprint);
    cost.layers.push_back(std::move(own));
  }
  add_lights(cost, passes, model);
  for (auto& light : cost.lights) {
    add_hardware(cost, light);
    find_powers(light, table, known, options, cost.unknown);
  }
  add_times(cost, table, known);
  add_energies(cost, known);
  return cost;
}

std::string NetworkCost::to_json(const ComponentTable& table) const {
  nlohmann::ordered_json object;
  for (const auto& layer : layers) {
    object["layers"].push_back({{"name", layer.name},
                                {"footprint", layer.footprint},
                                {"along", layer.traversal.along},
                                {"passes", layer.traversal.passes},
                                {"optical_multiply_adds", layer.traversal.multiply_adds},
                                {"electronic_multiply_adds", layer.electronic_multiply_adds}});
  }
  object["lights"] = nlohmann::ordered_json::array();
  for (const auto& light : lights) {
    object["lights"].push_back({{"layers", {light.first, light.last}},
                                {"along", light.along},
                                {"inputs", light.inputs},
                                {"detectors", light.detectors},
                                {"readings", light.readings},
                                {"passes", light.passes},
                                {"loss_db", light.loss_db},
                                {"rate_hz", light.rate_hz},
                                {"detected_w", light.detected_w},
                                {"light_w", light.light_w},
                                {"laser_w", light.laser_w},
                                {"seconds", light.seconds}});
  }
  object["footprint"] = footprint;
  object["optical_multiply_adds"] = optical_multiply_adds;
  object["electronic_multiply_adds"] = electronic_multiply_adds;
  object["area_mm2"] = area_mm2;
  object["hold_w"] = hold_w;
  object["energy_j"] = energy_j;
  object["total_energy_j"] = total_energy_j();
  object["latency_s"] = latency_s;
  object["interval_s"] = interval_s;
  object["unknown"] = unknown;
  for (const auto& [kind, known_figures] : table.all()) {
    const bool used =
        footprint.contains(kind) || (kind == parts::electronics && electronic_multiply_adds > 0);
    for (const auto& [name, figure] : known_figures) {
      if (used) {
        object["components"][kind][name] = {{"value", figure.value}, {"source", figure.source}};
      }
    }
  }
  return object.dump(2);
}

}  // namespace optotorch
