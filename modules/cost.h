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
  std::string name;     ///< type of the layer: "MziMesh"
  Footprint footprint;  ///< hardware that it is built of
  Traversal traversal;  ///< way of a sample's light; of electronics with optics inside, one part of each kind
  int64_t electronic_multiply_adds = 0;  ///< number for a sample, as LibTorch runs them; 0 for light
};

/// Light from its modulation to its detection: the layers [first, last].
struct LightCost {
  size_t first = 0,       ///< number of its first layer
      last = 0;           ///< number of the layer that detects it, or of the last that it passes
  Footprint along;        ///< hardware that light passes, with modulator and detector
  int64_t inputs = 0;     ///< values that light is given at once
  int64_t detectors = 0;  ///< detectors that read at once
  int64_t readings = 0;   ///< readings of all detectors, for a sample
  int64_t passes = 1;     ///< passes one after the other, for a sample
  double loss_db = 0;     ///< loss along the way, and of the laser's coupling
  double rate_hz = 0;     ///< rate of passes: that of the slowest component; 0: unknown
  double detected_w = 0;  ///< optical power at all detectors together
  double light_w = 0;     ///< optical power at the laser
  double laser_w = 0;     ///< electrical power of the laser
  double seconds = 0;     ///< time of all passes: passes / rate_hz
};

/// A network's cost. Everything is for one sample; quantities without their figures in the table are left out, and
/// named in `unknown`.
struct NetworkCost {
  std::vector<LayerCost> layers;           ///< costs of the layers, by number
  std::vector<LightCost> lights;           ///< costs of the lights, from input to output
  Footprint footprint;                     ///< all hardware, with converters and lasers
  int64_t optical_multiply_adds = 0,       ///< sum of Traversal::multiply_adds over all layers
      electronic_multiply_adds = 0;        ///< sum over all electronic layers
  double area_mm2 = 0;                     ///< chip area of the footprint
  double hold_w = 0;                       ///< power of settings that are held, without lasers
  std::map<std::string, double> energy_j;  ///< energy for a sample, by kind
  double latency_s = 0;                    ///< time from input to output
  double interval_s = 0;                   ///< time from one sample to the next, all parts working at once
  std::set<std::string> unknown;           ///< quantities that were left out: "area_um2 of pixels"

  /// Sum of `energy_j` over all kinds.
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
