#pragma once

#include <optotorch/modules/laboratory/chips/imperfections.h>
#include <optotorch/modules/laboratory/physical_system.h>
#include <optotorch/modules/laboratory/transparent_system.h>
#include <optotorch/modules/optics/diffractive_layer.h>
#include <torch/arg.h>

#include <array>
#include <memory>
#include <vector>

namespace optotorch {

/// Options for FinePlanes.
struct FinePlanesOptions {
  /// Samples along a pixel's side: 2 to 8, twice as many as those of the model or a larger multiple. Of two each sees as
  /// much of the border as the other.
  TORCH_ARG(int64_t, oversampling) = 3;
  /// Part of a pixel's area that light passes: above 0, up to 1. Its corners are round, with a quarter of its side as
  /// radius.
  TORCH_ARG(double, fill_factor) = 0.9;
  /// Part of a pixel's phase that reaches each of its four neighbours in place of its own: 0 to .2.
  TORCH_ARG(double, crosstalk) = 0.02;
  /// Amplitude of light that goes to and fro between two planes once before it passes: 0 to 1.
  TORCH_ARG(double, reflection) = 0.005;
  /// Amplitude that is lost in a plane's corner; half as much in the middle of its side: 0 to 1.
  TORCH_ARG(double, vignetting) = 0.1;
  /// Cameras stand behind inner planes, too.
  TORCH_ARG(bool, monitors) = false;
};

/// Diffractive planes in a row, by another simulation than DiffractiveLayer's: what is learnt of it by a model of that
/// layer is not learnt of the model itself. Light has several samples a pixel and keeps them from plane to plane;
/// pixels have dark borders; hops are not paraxial; and there are errors that no correction knows (crosstalk of pixels,
/// reflections, vignetting) beside those of `imperfections`, which are drawn as for the layers' own stages. A camera
/// reads the mean intensity over each of the model's samples.
///
/// The field that enters is that of the model, interpolated between its samples by its spectrum. All in
/// float64. Readings have the noise of `imperfections`; of drift there is none.
class FinePlanes : public PhysicalSystem, public TransparentSystem {
 public:
  /// Throws c10::ValueError for no planes, planes of several wavelengths, of other samples a pixel than the first, or of
  /// other windows than the next, and for options and imperfections out of their ranges.
  FinePlanes(const std::vector<std::shared_ptr<const DiffractiveLayerImpl>>& planes,
             const Imperfections& imperfections, int64_t seed, const FinePlanesOptions& options = {});

  std::vector<std::string> between() const override;
  Gradients pullback(const torch::Tensor& x, const torch::Tensor& dL_dreading) override;

 protected:
  void command(const std::vector<Values>& commands) override;
  std::vector<at::Tensor> read(const at::Tensor& x) override;

 private:
  struct Plane;
  int64_t refinement() const;  // samples along one of the model's
  void place(Plane& plane) const;
  torch::Tensor with_crosstalk(const torch::Tensor& phase) const;
  torch::Tensor mask_of(const Plane& plane, const torch::Tensor& pixels) const;
  std::vector<torch::Tensor> intensities(const torch::Tensor& x,
                                         const std::vector<torch::Tensor>& masks) const;

  Imperfections imperfections_;
  int64_t seed_;
  FinePlanesOptions options_;
  std::vector<std::shared_ptr<Plane>> planes_;
  std::array<torch::Tensor, 2>
      interpolation_;  // of rows and columns, from the model's samples to those of light
};

}  // namespace optotorch
