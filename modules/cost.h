#pragma once

// What a network costs to run: from the hardware that its layers say they are, and a table of components.

#include <optotorch/modules/component_table.h>
#include <optotorch/modules/hybrid.h>
#include <torch/arg.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace optotorch {

/// Options for cost_of.
struct CostOptions {
  /// Wanted at every detector: (mean photocurrent)^2 / variance, decibels; 0 to 200.
  TORCH_ARG(double, snr_db) = 40;
};

/// A layer's part.
struct LayerCost {
  std::string name;     ///< of its type, "MziMesh"
  Footprint footprint;  ///< hardware that it is built of
  Traversal traversal;  ///< of a sample's light; of an electronic layer with optics inside, one of each kind
  int64_t electronic_multiply_adds = 0;  ///< for a sample, as LibTorch runs them; 0 for light
};

/// Light from its modulation to its detection: the layers [first, last].
struct LightCost {
  size_t first = 0,       ///< number of its first layer
      last = 0;           ///< number of the layer that detects it, or of the last that it passes
  Footprint along;        ///< hardware that light passes, with modulator and detector
  int64_t inputs = 0;     ///< values that light is given at once
  int64_t detectors = 0;  ///< that read at once
  int64_t readings = 0;   ///< of all detectors, for a sample
  int64_t passes = 1;     ///< one after the other, for a sample
  double loss_db = 0;     ///< of `along`, and of the laser's coupling
  double rate_hz = 0;     ///< of passes: the slowest component's; 0: unknown
  double detected_w = 0;  ///< of light, at all detectors
  double light_w = 0;     ///< of light, at the laser
  double laser_w = 0;     ///< electrical
  double seconds = 0;     ///< passes / rate
};

/// A network's cost. Everything is for one sample; quantities without their figures in the table are left out, and
/// named in `unknown`.
struct NetworkCost {
  std::vector<LayerCost> layers;           ///< by number
  std::vector<LightCost> lights;           ///< from input to output
  Footprint footprint;                     ///< of all, with converters and lasers
  int64_t optical_multiply_adds = 0,       ///< by light: Traversal::multiply_adds of all layers
      electronic_multiply_adds = 0;        ///< of all electronic layers
  double area_mm2 = 0;                     ///< of the footprint
  double hold_w = 0;                       ///< of settings that are held
  std::map<std::string, double> energy_j;  ///< by kind
  double latency_s = 0;                    ///< from input to output
  double interval_s = 0;                   ///< between samples, one after the other through all parts at once
  std::set<std::string> unknown;           ///< "area_um2 of pixels"

  /// Sum of `energy_j`.
  double total_energy_j() const;
  /// All of it, with the sources of the figures that were used.
  std::string to_json(const ComponentTable& table) const;
};

/// Loss along a way of light, decibels: the sum of count times loss_db. Kinds without a figure count as 0 and are
/// added to `unknown`.
double loss_db_of(const Footprint& along, const ComponentTable& table, std::set<std::string>& unknown);

/// Electrical power of components that are held and used at a rate, watts, by kind: count (hold_mw + use_pj rate).
std::map<std::string, double> power_of(const Footprint& footprint, const ComponentTable& table,
                                       double rate_hz, std::set<std::string>& unknown);

/// Mean light on a detector, watts, for a signal-to-noise ratio s (a ratio, not decibels) at `rate_hz` readings a
/// second: I = s q B + sqrt((s q B)^2 + s i^2 B), B = rate / 2, q the elementary charge, i the amplifier's noise; shot
/// noise alone for i = 0. Divided by the responsivity.
double detector_power(double snr, double rate_hz, double responsivity_a_per_w, double noise_a_per_rthz);

/// The cost of a network for samples like `example`, [batch, ...].
///
/// Light begins where real values become a field, or where a linear component takes them, and ends at its detectors,
/// whose readings are dealt out over its passes;
/// its loss is that of the longest way (Layer::traversal). Where no layer brings modulators, every input has one; every
/// input has a DAC, every detector an ADC. Electrical energy: settings held for the interval between samples, lasers
/// for the time of their passes, converters, modulators and detectors for each use, electronics for each
/// multiply-add, counted as LibTorch runs them. Model and formulas: docs/cost.md.
///
/// Throws c10::ValueError for an example that the network does not take, options out of their ranges, and kinds of
/// hardware that the table does not have.
NetworkCost cost_of(HybridImpl& model, const torch::Tensor& example, const ComponentTable& table,
                    const CostOptions& options = {});

}  // namespace optotorch
