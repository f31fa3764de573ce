#include <ATen/ATen.h>
#include <optotorch/ops/free_space.h>
#include <torch/library.h>

#include <array>

namespace optotorch::ops {

at::Tensor free_space_reference(const at::Tensor& field, const at::Tensor& transfer, int64_t height,
                                int64_t width) {
  check_free_space(field, transfer, height, width);
  const std::array<int64_t, 2> padded = {transfer.size(-2), transfer.size(-1)};
  if (field.size(0) == 0 || field.size(1) == 0) {  // LibTorch's transform does not take an empty batch
    return field.new_zeros({field.size(0), field.size(1), height, width});
  }
  return at::fft_ifft2(transfer * at::fft_fft2(field, padded)).narrow(2, 0, height).narrow(3, 0, width);
}

namespace {

at::Tensor free_space_composed(const at::Tensor& field, const at::Tensor& transfer, int64_t height,
                               int64_t width) {
  return free_space_reference(field, transfer, height, width).contiguous();
}

/// Of devices that have no kernel.
TORCH_LIBRARY_IMPL(optotorch, CompositeExplicitAutograd, library) {
  library.impl("free_space", free_space_composed);
}

}  // namespace

}  // namespace optotorch::ops
