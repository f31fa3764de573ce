#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/optics/hop_options.h>
#include <optotorch/modules/stage.h>
#include <torch/arg.h>

#include <string>
#include <utility>
#include <vector>

namespace optotorch {

/// Effect of a plane's pixels on light.
enum class Modulation {
  phase,      ///< exp(i phase)
  amplitude,  ///< sigmoid(amplitude)
  both,       ///< sigmoid(amplitude) exp(i phase)
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(Modulation) {
  static const std::vector<std::string> all{"phase", "amplitude", "both"};
  return all;
}

/// Phases of a plane at first.
enum class PhaseStart {
  uniform,  ///< in [0, 2 pi): light goes everywhere; a plane must stand where it was trained to a part of a pixel
  zero,  ///< glass: smooth planes, which tolerate offsets
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(PhaseStart) {
  static const std::vector<std::string> all{"uniform", "zero"};
  return all;
}

/// Options for DiffractiveLayer: DiffractiveLayerOptions({200, 200}).hop(HopOptions().distance(.3)).
struct DiffractiveLayerOptions {
  /// A phase plane of `pixels`, each one sample of the field.
  DiffractiveLayerOptions(std::vector<int64_t> pixels)  // NOLINT(google-explicit-constructor)
      : pixels_(std::move(pixels)) {}
  /// Rows and columns.
  TORCH_ARG(std::vector<int64_t>, pixels);
  /// The way behind the plane; `spacing` is that of the pixels.
  TORCH_ARG(HopOptions, hop) = {};
  /// Effect of a pixel on light, which decides what parameters there are.
  TORCH_ARG(Modulation, modulation) = Modulation::phase;
  /// Initial phases of the plane.
  TORCH_ARG(PhaseStart, start) = PhaseStart::uniform;
  /// Samples of the field along a pixel's side: 1 to 16.
  TORCH_ARG(int64_t, oversampling) = 1;
  /// Part of a pixel's area that light passes, in its middle: above 0, up to 1.
  TORCH_ARG(double, fill_factor) = 1;
  /// Rows and columns of samples behind the hop; empty: as many as before it.
  TORCH_ARG(std::vector<int64_t>, output) = {};
  /// Standard deviation of an offset, in pixels, that every training pass draws for the plane, so that what it
  /// learns tolerates such ones: Mengu et al., arXiv 2005.11464 ("vaccination"). 0 to 100.
  TORCH_ARG(double, vaccination) = 0;
  /// Seed of those offsets.
  TORCH_ARG(int64_t, seed) = 0;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("pixels", pixels_);
    visit("hop", hop_);
    visit("modulation", modulation_);
    visit("start", start_);
    visit("oversampling", oversampling_);
    visit("fill_factor", fill_factor_);
    visit("output", output_);
    visit("vaccination", vaccination_);
    visit("seed", seed_);
  }

  /// Rows and columns of the field before the plane.
  std::vector<int64_t> window() const;
  /// Rows and columns of the field behind the hop.
  std::vector<int64_t> window_behind() const;
  /// The hop of a field's samples.
  HopOptions sample_hop() const;
};

/// A plane of pixels that light passes, and the free space behind it:
///
///     y = free_space(m x),     m = a exp(i lambda_0 / lambda phase)     of every pixel
///
/// field [batch, planes, window] -> [batch, planes, window behind]; the planes of a field are wavelengths, or
/// anything that passes the same pixels side by side. Parameters `phase` [pixels], radians at the first wavelength
/// lambda_0 (others see it as glass without dispersion does), and `amplitude` [pixels], initially 2.
///
/// As a stage it commands both, and its errors are
///
///     phase_offset [pixels]   phase += phase_offset               radians; of every pixel by itself
///     aberration [15]         phase += sum_k aberration_k A_k     radians; smooth: cosines of up to 3 half waves
///     gain [1], curve [2]     phase += gain p + curve_0 sin p + curve_1 sin 2p,     p the commanded phase
///     coupling [1]            a *= 1 - coupling (1 - cos p) / 2   0 to 1
///     offset [2]              the plane stands lower, and farther right: pixels
///     rotation [1]            about its middle, from down to right: radians
///     tilt [2]                m *= exp(2 pi i (tilt_0 y + tilt_1 x) / lambda): radians
///     distance [1]            distance *= 1 + distance
///
/// A field is moved to a plane that stands elsewhere by its spectrum, exact between samples. From there starts the hop
/// behind it, of Propagation::fresnel, cropped; for others the field is moved back first, to the window of the design.
/// A plane is rotated by its spectrum, too, with darkness beyond it. A distance that changes is cheap for
/// Propagation::fresnel, cropped; else each costs a new transfer function.
class DiffractiveLayerImpl : public CloneableLayer<DiffractiveLayerImpl, Stage> {
 public:
  /// Throws c10::ValueError for pixels outside 1 to 2^14 a side, options out of their ranges, and a hop that
  /// HopOptions::check refuses.
  explicit DiffractiveLayerImpl(DiffractiveLayerOptions options);

  std::vector<StageError> errors() const override;
  torch::Tensor respond(const torch::Tensor& x, const Values& commands, const Values& errors) const override;
  Gradients respond_backward(const torch::Tensor& dL_dy, const torch::Tensor& x, const torch::Tensor& y,
                             const Values& commands, const Values& errors,
                             const Wanted& wanted) const override;
  Deployment deploy() override;
  Footprint footprint() const override { return {{parts::pixels, c10::multiply_integers(options.pixels())}}; }
  Traversal traversal(const Pass& pass) const override {
    return between_planes(Layer::traversal(pass), pass);
  }

  /// The options it was made from.
  DiffractiveLayerOptions options;
  torch::Tensor phase,   ///< parameter [pixels], radians; undefined for Modulation::amplitude
      amplitude;         ///< parameter [pixels], of which a is the sigmoid; undefined for Modulation::phase
  torch::Tensor passes;  ///< int64 scalar: training passes so far; undefined without `vaccination`

 protected:
  StageDesign make_design() const override;
  std::vector<torch::Tensor> read_by_pullback(const Pass& pass) const override;
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
};

TORCH_MODULE(DiffractiveLayer);

}  // namespace optotorch
