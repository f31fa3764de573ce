#include "optotorch/cost.h"

#include <c10/util/StringUtil.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/modules/cost.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "runs/network.h"
#include "runs/run_network.h"

namespace optotorch::tools {
namespace {

/// "3.2 pJ": three digits and a prefix.
std::string with_prefix(double value, const char* unit) {
  constexpr const char* prefixes[] = {"a", "f", "p", "n", "u", "m", "", "k", "M", "G", "T", "P", "E"};
  constexpr int first = -18, last = 18, step = 3;
  if (value == 0) {
    return c10::str("0 ", unit);
  }
  int power = static_cast<int>(std::floor(std::log10(std::abs(value)) / step)) * step;
  power = std::min(std::max(power, first), last);
  char text[48];
  if (std::abs(value) / std::pow(10, power) >= 999.5 && power < last) {
    power += step;  // three digits make it a thousand
  }
  std::snprintf(text, sizeof text, "%.3g %s%s", value / std::pow(10, power), prefixes[(power - first) / step],
                unit);
  return text;
}

std::string in_words(const Footprint& parts) {
  std::vector<std::string> words;
  for (const auto& [kind, count] : parts) {
    if (count > 0) {
      words.push_back(c10::str(count, " ", kind));
    }
  }
  return words.empty() ? "-" : c10::Join(", ", words);
}

void print_layers(const NetworkCost& cost) {
  std::printf("%-5s %-24s %10s %10s %8s  %s\n", "layer", "kind", "light MACs", "other MACs", "passes",
              "light passes, one after the other");
  for (size_t n = 0; n < cost.layers.size(); ++n) {
    const auto& layer = cost.layers[n];
    std::printf("%-5zu %-24s %10s %10s %8lld  %s\n", n, layer.name.c_str(),
                with_prefix(static_cast<double>(layer.traversal.multiply_adds), "").c_str(),
                with_prefix(static_cast<double>(layer.electronic_multiply_adds), "").c_str(),
                static_cast<long long>(layer.traversal.passes), in_words(layer.traversal.along).c_str());
  }
}

void print_lights(const NetworkCost& cost, double snr_db) {
  for (const auto& light : cost.lights) {
    std::printf("\nlight      layers %zu to %zu, %lld inputs, %lld detectors, %lld passes a sample at %s\n",
                light.first, light.last, static_cast<long long>(light.inputs),
                static_cast<long long>(light.detectors), static_cast<long long>(light.passes),
                with_prefix(light.rate_hz, "Hz").c_str());
    std::printf("way        %s\n", in_words(light.along).c_str());
    std::printf("loss       %.2f dB\n", light.loss_db);
    std::printf("laser      %s of light, %s electrical, for %.0f dB at each detector\n",
                with_prefix(light.light_w, "W").c_str(), with_prefix(light.laser_w, "W").c_str(), snr_db);
  }
}

void print_sums(const NetworkCost& cost) {
  std::printf("\nhardware   %s\n", in_words(cost.footprint).c_str());
  std::printf("area       %.4g mm^2\n", cost.area_mm2);
  std::printf("time       %s from input to output, a sample every %s\n",
              with_prefix(cost.latency_s, "s").c_str(), with_prefix(cost.interval_s, "s").c_str());
  const auto all = static_cast<double>(cost.optical_multiply_adds + cost.electronic_multiply_adds);
  std::printf("MACs       %s by light, %s by electronics\n",
              with_prefix(static_cast<double>(cost.optical_multiply_adds), "").c_str(),
              with_prefix(static_cast<double>(cost.electronic_multiply_adds), "").c_str());
  std::printf("energy     %s a sample, %s a MAC:\n", with_prefix(cost.total_energy_j(), "J").c_str(),
              with_prefix(all > 0 ? cost.total_energy_j() / all : 0, "J").c_str());
  for (const auto& [kind, joules] : cost.energy_j) {
    if (joules > 0) {
      std::printf("           %-16s %s\n", kind.c_str(), with_prefix(joules, "J").c_str());
    }
  }
  for (const auto& what : cost.unknown) {
    std::printf("unknown    %s: left out\n", what.c_str());
  }
}

}  // namespace

void print_cost(const std::string& folder, const CostArguments& arguments) {
  const auto run = load_run(folder);
  const auto table = ComponentTable::read(arguments.components.empty() ? share_folder() + "/components.json"
                                                                       : arguments.components);
  auto model = load_model_on_paper(run, folder);
  const auto cost = cost_of(*model, example_input(run, 1), table, CostOptions().snr_db(arguments.snr_db));
  print_layers(cost);
  print_lights(cost, arguments.snr_db);
  print_sums(cost);
  if (!arguments.json.empty()) {
    write_text_atomically(arguments.json, cost.to_json(table) + "\n");
    std::printf("wrote %s, with the sources of all figures\n", arguments.json.c_str());
  }
}

}  // namespace optotorch::tools
