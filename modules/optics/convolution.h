#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <torch/arg.h>
#include <torch/expanding_array.h>

#include <memory>
#include <utility>
#include <vector>

namespace optotorch {

/// Options for Convolution: ConvolutionOptions(WeightBank(27, 16).ptr(), 3).padding(1). One number stands for
/// both axes, as in torch::nn::Conv2dOptions.
struct ConvolutionOptions {
  /// Kernels of `kernel_size`, which are the rows of the component's matrix; stride and dilation 1, no padding.
  ConvolutionOptions(std::shared_ptr<Layer> component, torch::ExpandingArray<2> kernel_size)
      : component_(std::move(component)), kernel_size_(*kernel_size) {}

  /// A linear component that takes rows of channels x kernel height x kernel width values, in that order.
  TORCH_ARG(std::shared_ptr<Layer>, component);
  /// Height and width of a kernel, 1 to 2^20 - 1.
  TORCH_ARG(torch::ExpandingArray<2>, kernel_size);
  /// Pixels from one patch to the next, 1 to 2^20 - 1.
  TORCH_ARG(torch::ExpandingArray<2>, stride) = 1;
  /// Dark pixels, or zeros, around the image.
  TORCH_ARG(torch::ExpandingArray<2>, padding) = 0;
  /// Pixels from one element of a kernel to the next, 1 to 2^20 - 1; 1 leaves no gaps.
  TORCH_ARG(torch::ExpandingArray<2>, dilation) = 1;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit);
};

/// A linear component on every patch of an image: [batch, channels, height, width] -> [batch, outputs,
/// height', width'], light or electronic values as the component takes and delivers them,
///
///     y[b, :, i, j] = W p(b, i, j) (+ b),   height' = (height + 2 padding - dilation (kernel - 1) - 1) / stride + 1
///
/// rounded down, with the patch p(b, i, j) flattened as a row of torch::nn::Conv2d's weight is. So a
/// WeightBank, a MziLinear, a mesh or a component of one's own becomes the convolution whose kernels are the
/// rows of its matrix. One component serves all patches, one after the other in time. With a BlockDiagonal of
/// one component for each channel the convolution is depthwise.
///
/// Parameters are the component's ("component.detuning"), and so are its errors; a rule's signal reaches it
/// by its own hooks. Where the component is its matrix, that is what many patches are multiplied with, in the
/// forward pass and backwards. Deployed as LibTorch's conv2d where the component is its matrix, patch by patch
/// where it is not. The component may be a PhysicalNetwork: a laboratory is then sent the patches.
class ConvolutionImpl : public Layer {
 public:
  /// A convolution with stride and dilation 1 and no padding.
  ConvolutionImpl(std::shared_ptr<Layer> component, torch::ExpandingArray<2> kernel_size)
      : ConvolutionImpl(ConvolutionOptions(std::move(component), kernel_size)) {}

  /// Throws c10::ValueError unless the component is a linear one, kernel, stride and dilation are at least 1
  /// and the padding is at least 0, all of them below 2^20.
  explicit ConvolutionImpl(ConvolutionOptions options);

  Role role() const override { return Role::component; }
  torch::Tensor tpfp_update(const Pass& pass, const torch::Tensor& signal, bool to_input) override;
  torch::Tensor dfa_update(const Pass& pass, const torch::Tensor& signal, bool to_input) override;
  torch::Tensor dat_update(const Pass& pass, const torch::Tensor& signal, bool to_input) override;
  Adjoint adjoint(const torch::Tensor& x) const override;
  Deployment deploy() override;
  Footprint footprint() const override { return options.component()->footprint(); }
  Traversal traversal(const Pass& pass) const override;
  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;

  /// Patches of images x, as the component takes them: [batch x height' x width', channels x kernel].
  torch::Tensor patches(const torch::Tensor& x) const;
  /// The pass of images x whose patches the component passed so.
  Pass around(const torch::Tensor& x, Pass component) const;

  /// The options it was made from.
  ConvolutionOptions options;

 protected:
  /// The input, the component's pass, and what is the component's.
  std::vector<torch::Tensor> read_by_pullback(const Pass& pass) const override;
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor evaluate(const torch::Tensor& x) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;

 private:
  using Hook = torch::Tensor (Layer::*)(const Pass& pass, const torch::Tensor& signal, bool to_input);
  torch::Tensor update(const Pass& pass, const torch::Tensor& signal, bool to_input, Hook hook);
  /// True if the component's matrix, learnt from the identity, is cheaper than the component on every patch.
  bool by_matrix(const torch::Tensor& x) const;
  torch::Tensor compute_by_matrix(const torch::Tensor& x, Pass* kept);
  torch::Tensor update_by_matrix(const Pass& pass, const torch::Tensor& signal, bool to_input, Hook hook);
};

TORCH_MODULE(Convolution);

}  // namespace optotorch
