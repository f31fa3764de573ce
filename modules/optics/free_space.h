#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <optotorch/modules/optics/hop_options.h>
#include <torch/arg.h>

#include <array>
#include <utility>
#include <vector>

namespace optotorch {

/// Options for FreeSpace: FreeSpaceOptions({64, 64}).hop(HopOptions().distance(.05)).
struct FreeSpaceOptions {
  /// A default hop between two planes of `window`.
  FreeSpaceOptions(std::vector<int64_t> window)  // NOLINT(google-explicit-constructor)
      : window_(std::move(window)) {}
  /// Rows and columns of the field.
  TORCH_ARG(std::vector<int64_t>, window);
  /// The way between the planes; `spacing` is that of the samples before it.
  TORCH_ARG(HopOptions, hop) = {};
  /// Rows and columns behind the hop, centred on the window; empty: the same.
  TORCH_ARG(std::vector<int64_t>, output) = {};
  /// Metres between samples behind the hop, of Propagation::fresnel; 0: as before it.
  TORCH_ARG(double, output_spacing) = 0;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("window", window_);
    visit("hop", hop_);
    visit("output", output_);
    visit("output_spacing", output_spacing_);
  }
};

/// Free space between two planes: field [batch, planes, window] -> [batch, planes, output]. Light that leaves the
/// window is lost. No parameters. Formula: ops/free_space.h; between windows of different spacings y = K_y x K_x^T, the
/// two matrices of a paraxial hop (paraxial_matrix). Throws c10::ValueError for lengths that are not positive (a
/// distance may be 0, except for Propagation::rayleigh_sommerfeld), for an output spacing of its own with another
/// propagation than Propagation::fresnel, and for a field of another size.
class FreeSpaceImpl : public CloneableLayer<FreeSpaceImpl> {
 public:
  /// Throws c10::ValueError for windows and hops that HopOptions::check refuses, and for output spacings as above.
  explicit FreeSpaceImpl(FreeSpaceOptions options);

  Role role() const override { return Role::component; }
  Traversal traversal(const Pass& pass) const override {
    return between_planes(Layer::traversal(pass), pass);
  }
  Deployment deploy() override;

  /// The options it was made from.
  FreeSpaceOptions options;

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
  std::vector<torch::Tensor> read_by_pullback(const Pass& /*pass*/) const override { return {}; }

 private:
  /// K_y and K_x of every wavelength, complex128 [planes, outputs, inputs]; undefined where a transform serves.
  std::array<torch::Tensor, 2> matrices_;
};

TORCH_MODULE(FreeSpace);

}  // namespace optotorch
