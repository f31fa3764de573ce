#include <ATen/ATen.h>
#include <optotorch/ops/sepn.h>

namespace optotorch::ops {

at::Tensor sepn_reference(const at::Tensor& x, const at::Tensor& parameters, const SepnLayout& layout) {
  check_sepn(x, parameters, layout);
  const auto complex = at::view_as_complex(parameters.contiguous());
  const auto convolutions = layout.convolutions();
  const auto convolve = [&](size_t index, const at::Tensor& image) {
    const auto& c = convolutions[index];
    const auto bias = complex.narrow(0, c.bias, c.out);
    const auto weight = complex.narrow(0, c.weight, 9 * c.in * c.out);
    if (!c.transposed) {
      return at::conv2d(image, weight.view({c.out, c.in, 3, 3}), bias, c.stride(), 1);
    }
    // Pixels apart, zeros between them, and the kernel turned round: LibTorch's transposed convolution of
    // complex images has no third derivative.
    const auto apart = at::constant_pad_nd(image.unsqueeze(3).unsqueeze(5), {0, 1, 0, 0, 0, 1})
                           .reshape({image.size(0), c.in, 2 * c.in_side, 2 * c.in_side})
                           .narrow(2, 0, c.out_side)
                           .narrow(3, 0, c.out_side);
    return at::conv2d(apart, weight.view({c.in, c.out, 3, 3}).transpose(0, 1).flip({2, 3}), bias, 1, 1);
  };
  const auto active = [&](size_t index, const at::Tensor& image) {
    return at::view_as_complex(at::view_as_real(convolve(index, image)).relu());
  };
  const int64_t side = layout.side();
  const auto padded = at::constant_pad_nd(x, {0, side * side - layout.ports});
  const auto x0 = padded.view({x.size(0), 1, side, side});
  const auto x1 = active(2, active(1, active(0, x0)));
  const auto d1 = active(3, x0);
  const auto x2 = active(6, active(5, active(4, d1)));
  const auto d2 = active(7, d1);
  const auto x3 = active(10, active(9, active(8, d2)));
  const auto u1 = active(11, x3);
  const auto u2 = active(12, at::cat({x2, u1}, 1));
  return convolve(13, at::cat({x1, u2}, 1)).flatten(1).narrow(1, 0, layout.ports);
}

}  // namespace optotorch::ops
