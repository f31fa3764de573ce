#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <optotorch/ops/transfer_function.h>
#include <torch/arg.h>
#include <torch/nn/module.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace optotorch {

using ops::Propagation;
using ops::Sampling;

namespace parts {
inline constexpr char pixels[] = "pixels";    ///< pixels of masks and spatial light modulators, and mirrors
inline constexpr char cameras[] = "cameras";  ///< cameras, each one part however many pixels it has
}  // namespace parts

/// A layer's way of light with the multiply-adds of a dense matrix from plane to plane, [batch, planes, height, width].
inline Traversal between_planes(Traversal way, const Pass& pass) {
  const int64_t planes = std::max<int64_t>(1, pass.input.size(0) * pass.input.size(1));
  const int64_t from = pass.input.numel() / planes, to = pass.output.numel() / planes;
  way.multiply_adds = pass.input.size(1) * from * to;
  return way;
}

/// The way of light between two parallel planes: HopOptions().distance(.03).spacing(8e-6). Lengths are metres;
/// formulas: ops/transfer_function.h.
struct HopOptions {
  /// Wavelengths in vacuum: one for all planes of a field [batch, planes, height, width], or one for each.
  TORCH_ARG(std::vector<double>, wavelengths) = {532e-9};
  /// Distance from plane to plane, at least 0; above 0 for Propagation::rayleigh_sommerfeld.
  TORCH_ARG(double, distance) = 0.03;
  /// Spacing of a field's samples, or of the pixels of a DiffractiveLayer; above 0.
  TORCH_ARG(double, spacing) = 17e-6;
  /// Refractive index of the medium, at least 1.
  TORCH_ARG(double, refractive_index) = 1;
  /// Theory by which light propagates.
  TORCH_ARG(Propagation, propagation) = Propagation::angular_spectrum;
  /// Way of sampling the transfer function; without meaning for Propagation::rayleigh_sommerfeld.
  TORCH_ARG(Sampling, sampling) = Sampling::cropped;
  /// Padding for a sampling that is not cropped: 1 to 64.
  TORCH_ARG(int64_t, padding) = 2;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("wavelengths", wavelengths_);
    visit("distance", distance_);
    visit("spacing", spacing_);
    visit("refractive_index", refractive_index_);
    visit("propagation", propagation_);
    visit("sampling", sampling_);
    visit("padding", padding_);
  }

  /// Throws c10::ValueError, in the name of `where`, unless there are wavelengths and windows of these sizes, and
  /// HopGeometry::check likes them.
  void check(const std::string& where, const std::vector<int64_t>& input,
             const std::vector<int64_t>& output) const;

  /// True if a sample is smaller than half a wavelength in the medium, of any of them: the field then holds waves
  /// that fade before they arrive.
  bool samples_evanescent_waves() const;

  /// The hop of light of one of the wavelengths between windows of these sizes.
  ops::HopGeometry geometry(size_t wavelength, const std::vector<int64_t>& input,
                            const std::vector<int64_t>& output) const;

  /// True if light's way between windows of these sizes is two products (`ops::separable_hop`) and they are less
  /// work than transforms: Propagation::fresnel, Sampling::cropped, windows of up to 448 samples a side that differ by
  /// even numbers, or up to 192. With a precision of LibTorch's float32 products below the highest it is not.
  bool is_by_matrices(const std::vector<int64_t>& input, const std::vector<int64_t>& output) const;

  /// Matrices of both sides, K_y and K_x, of all wavelengths for `ops::separable_hop`: [outputs, inputs] of one,
  /// [planes, outputs, inputs] of several; complex64 or complex128 as `field`, on its device. Kept as `transfer`.
  std::array<torch::Tensor, 2> matrices(const std::vector<int64_t>& input, const std::vector<int64_t>& output,
                                        const torch::TensorOptions& field) const;

  /// The light x of the window `input` where it meets the window `output`, by the cheaper of both ways.
  torch::Tensor carry(const torch::Tensor& x, const std::vector<int64_t>& input,
                      const std::vector<int64_t>& output) const;

  /// The adjoint of `carry`: from the window `output` to the window `input`.
  torch::Tensor carry_back(const torch::Tensor& dL_dy, const std::vector<int64_t>& input,
                           const std::vector<int64_t>& output) const;

  /// `carry` as it is exported: plain ATen operators on tensors of the precision of `field`, which fields of another
  /// take as theirs.
  Deployment deploy(const std::vector<int64_t>& input, const std::vector<int64_t>& output,
                    const torch::TensorOptions& field) const;

  /// Transfer functions of all wavelengths for `free_space`: [height, width] of one, [planes, height, width] of
  /// several; complex64 or complex128 as `field`, on its device. Made once for all layers with equal hops.
  torch::Tensor transfer(const std::vector<int64_t>& input, const std::vector<int64_t>& output,
                         const torch::TensorOptions& field) const;
};

/// Throws c10::ValueError unless `window` is rows and columns, of 1 to 2^14 each.
void check_window(const std::string& where, const std::string& argument, const std::vector<int64_t>& window);

/// Throws c10::ValueError unless samples along a pixel's side are 1 to 16 and the fill factor is above 0, up to 1.
void check_sampling(const std::string& where, int64_t oversampling, double fill_factor);

/// Throws unless x is a complex field [batch, planes, rows, columns] with as many planes as there are wavelengths, if
/// there are several.
void check_planes(const torch::nn::Module& module, const torch::Tensor& x, const std::vector<int64_t>& window,
                  const std::vector<double>& wavelengths);

}  // namespace optotorch
