#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/stage.h>
#include <optotorch/ops/filter_bank.h>
#include <optotorch/ops/filter_coefficients.h>
#include <torch/arg.h>

#include <algorithm>
#include <vector>

namespace optotorch {

using ops::FilterKind;

namespace parts {
inline constexpr char filters[] = "filters";  ///< spectral filters; one of order n counts n times
}  // namespace parts

/// Options for SpectralFilterBank: SpectralFilterBankOptions(3136, 7).window(16).width(.04). The unit of time is a
/// symbol of the waveform, that of frequencies and widths the symbol rate.
struct SpectralFilterBankOptions {
  /// Lorentzian filters, spread evenly over the frequencies 0 to .5.
  SpectralFilterBankOptions(int64_t symbols, int64_t filters) : symbols_(symbols), filters_(filters) {}
  /// Length of the waveform, 1 to 2^30.
  TORCH_ARG(int64_t, symbols);
  /// Number of filters, each with a photodiode: 1 to 65536.
  TORCH_ARG(int64_t, filters);
  /// Kind of the filters.
  TORCH_ARG(FilterKind, kind) = FilterKind::lorentzian;
  /// Equal filters in a row, 1 to 16.
  TORCH_ARG(int64_t, order) = 1;
  /// m: the free spectral range is 1 / m. 1 to 4096; of a lorentzian 1.
  TORCH_ARG(int64_t, delay) = 1;
  /// Loss of power on a ring's round trip, in decibels: 0 to 100; of other kinds 0.
  TORCH_ARG(double, loss_db) = 0;
  /// Centre frequencies at the start, from -.5 to .5: one a filter, or none: evenly from `lowest` to `highest`.
  TORCH_ARG(std::vector<double>, frequencies) = {};
  /// Centre frequency of the first filter, -.5 to .5; without meaning if `frequencies` are given.
  TORCH_ARG(double, lowest) = 0;
  /// Centre frequency of the last filter, `lowest` to .5; a single filter lies halfway between the two.
  TORCH_ARG(double, highest) = 0.5;
  /// Full width at half maximum at the start, above 0 to .5.
  TORCH_ARG(double, width) = 0.04;
  /// Frequencies and widths learn; else they are frozen from the beginning (freeze.h).
  TORCH_ARG(bool, learns) = true;
  /// Symbols between two readings of a photodiode.
  TORCH_ARG(int64_t, window) = 16;
  /// Bandwidth (-3 dB) of the photodiodes' low-pass, above 0 to .5; 0: a photodiode integrates over the window.
  TORCH_ARG(double, bandwidth) = 0.02;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("symbols", symbols_);
    visit("filters", filters_);
    visit("kind", kind_);
    visit("order", order_);
    visit("delay", delay_);
    visit("loss_db", loss_db_);
    visit("frequencies", frequencies_);
    visit("lowest", lowest_);
    visit("highest", highest_);
    visit("width", width_);
    visit("learns", learns_);
    visit("window", window_);
    visit("bandwidth", bandwidth_);
  }

  /// Sections, delay and photodiodes for the operator: q = exp(-2 pi bandwidth).
  ops::FilterBankLayout layout() const;
};

/// Optical filters that slice the spectrum of a waveform, each with a photodiode: field [batch, symbols] -> currents
/// [batch, filters, windows], real. Formulas: ops/filter_bank.h, ops/filter_coefficients.h.
///
/// Parameters: `frequency` [filters], and but for interferometers `log_width` [filters], the natural logarithm of the
/// width. The waveform of real images has a symmetric spectrum: filters at f and -f then read the same.
///
/// As a stage its errors are `resonance`, by which a filter is off, in half widths of the design (resonance_error), and
/// `broadening`, the relative error of its width, from -.9 on (width_error).
///
/// Source: Tsirigotis et al., arXiv 2405.06434.
class SpectralFilterBankImpl : public CloneableLayer<SpectralFilterBankImpl, Stage> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit SpectralFilterBankImpl(SpectralFilterBankOptions options);

  /// Light sent backwards through the filters, from a source in each photodiode's place that is steady for a window.
  Adjoint adjoint(const torch::Tensor& x) const override;
  Deployment deploy() override;
  Footprint footprint() const override {
    return {{parts::filters, options.filters() * options.order()}, {parts::detectors, options.filters()}};
  }
  Traversal traversal(const Pass& pass) const override {
    auto way = Layer::traversal(pass);
    way.along[parts::filters] = options.order();
    way.passes =
        pass.output.numel() / (std::max<int64_t>(1, pass.output.size(0)) * options.filters());  // readings
    way.multiply_adds = options.symbols() * options.filters() * options.order();  // as recursions
    return way;
  }

  std::vector<StageError> errors() const override;
  torch::Tensor respond(const torch::Tensor& x, const Values& commands, const Values& errors) const override;
  Gradients respond_backward(const torch::Tensor& dL_dy, const torch::Tensor& x, const torch::Tensor& y,
                             const Values& commands, const Values& errors,
                             const Wanted& wanted) const override;

  /// The options it was made from.
  SpectralFilterBankOptions options;
  torch::Tensor frequency,  ///< parameter [filters], centre frequencies, cycles per symbol
      log_width;            ///< parameter [filters], logarithms of the widths; undefined for interferometers

 protected:
  StageDesign make_design() const override;
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
  std::vector<torch::Tensor> read_by_pullback(const Pass& pass) const override;

 private:
  ops::FilterCoefficients coefficients(const Values& commands, const Values& errors) const;
  Gradients pull(const torch::Tensor& dL_dy, const torch::Tensor& x, const Values& commands,
                 const Values& errors, bool to_input) const;
};

TORCH_MODULE(SpectralFilterBank);

}  // namespace optotorch
