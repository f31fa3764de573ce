#pragma once

// The systematic-error prediction network of dual adaptive training (Zheng et al., arXiv 2212.06141): a small
// complex U-Net on the ports of one block, seen as a square image x0 of side ceil(sqrt(ports)), row-major,
// padded with zeros. Kernels are 3 x 3 with padding 1 and bias; f is CReLU, relu of real and imaginary part;
// stride 2 halves a side (rounded up), a transposed convolution takes it back.
//
//     x1 = f conv f conv f conv x0          1 -> F1 -> F1 -> F1          side s
//     d1 = f conv/2 x0                      1 -> F1                      ceil(s/2)
//     x2 = f conv f conv f conv d1          F1 -> F2 -> F2 -> F2
//     d2 = f conv/2 d1                      F1 -> F2                     ceil(s/4)
//     x3 = f conv f conv f conv d2          F2 -> F3 -> F3 -> F3
//     u1 = f convT/2 x3                     F3 -> F2                     ceil(s/2)
//     u2 = f convT/2 cat(x2, u1)            2 F2 -> F1                   s
//     y  = conv cat(x1, u2)                 2 F1 -> 1
//
// A convolution is a cross-correlation, as in PyTorch. (F1, F2, F3) = (4, 8, 16) are the published "10k"
// complex parameters, (4, 6, 8) "4k".

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

namespace optotorch::ops {

/// One convolution of the network, in the order x1, d1, x2, d2, x3, u1, u2, y.
struct SepnConvolution {
  int64_t in,       ///< channels of its input
      out;          ///< channels of its output
  int64_t in_side,  ///< pixels along a side of its input
      out_side;     ///< pixels along a side of its output
  bool transposed;  ///< stride 2 backwards; otherwise the stride is 1, or 2 if the side shrinks
  int64_t weight,   ///< place of its weights among the parameters, from 0
      bias;         ///< place of its biases among the parameters, from 0

  /// 1, or 2 where the sides differ.
  int64_t stride() const { return in_side == out_side ? 1 : 2; }
};

/// Sizes of a network.
struct SepnLayout {
  int64_t ports = 64;                            ///< of the block, 1 to 65,536
  std::array<int64_t, 3> features = {4, 8, 16};  ///< F1, F2, F3

  /// Throws c10::ValueError unless ports are 1 to 65,536 and features 1 to 256.
  void check() const;
  /// Pixels along a side of the square image: ceil(sqrt(ports)).
  int64_t side() const;
  /// Complex parameters: weights [out, in, 3, 3] ([in, out, 3, 3] if transposed), then biases [out], of each
  /// convolution in order.
  int64_t parameters() const;
  /// The network's 14 convolutions, in the order of SepnConvolution.
  std::vector<SepnConvolution> convolutions() const;
};

/// y for complex fields x [batch, ports] and parameters [layout.parameters(), 2], real and imaginary parts in
/// the precision of x. Throws c10::ValueError for other types and shapes.
at::Tensor sepn(const at::Tensor& x, const at::Tensor& parameters, const SepnLayout& layout);

/// Gradients at x and at the parameters, each if it is wanted and without elements if not. The forward pass
/// is run again: nothing is kept.
std::tuple<at::Tensor, at::Tensor> sepn_backward(const at::Tensor& dL_dy, const at::Tensor& x,
                                                 const at::Tensor& parameters, const SepnLayout& layout,
                                                 bool to_x = true, bool to_parameters = true);

/// Gradients at dL_dy, x and the parameters of Re sum conj(v_x) dL_dx + sum v_parameters dL_dparameters,
/// where those are what sepn_backward returns: second derivatives, of the reference face. An absent v means
/// 0. Differentiable as often as wanted.
std::tuple<at::Tensor, at::Tensor, at::Tensor> sepn_double_backward(
    const std::optional<at::Tensor>& v_x, const std::optional<at::Tensor>& v_parameters,
    const at::Tensor& dL_dy, const at::Tensor& x, const at::Tensor& parameters, const SepnLayout& layout);

/// The same by LibTorch's convolutions; differentiable by its autograd.
at::Tensor sepn_reference(const at::Tensor& x, const at::Tensor& parameters, const SepnLayout& layout);

/// The layout that the operator's arguments mean. Throws unless x is a field [batch, ports] and `features`
/// are three numbers.
SepnLayout sepn_layout(const at::Tensor& x, at::IntArrayRef features);

/// @{
/// Throws as the operator does; for its faces.
void check_sepn(const at::Tensor& x, const at::Tensor& parameters, const SepnLayout& layout);
void check_sepn_backward(const at::Tensor& dL_dy, const at::Tensor& x, const at::Tensor& parameters,
                         const SepnLayout& layout);
void check_sepn_double_backward(const std::optional<at::Tensor>& v_x,
                                const std::optional<at::Tensor>& v_parameters, const at::Tensor& dL_dy,
                                const at::Tensor& x, const at::Tensor& parameters, const SepnLayout& layout);
/// @}

}  // namespace optotorch::ops
