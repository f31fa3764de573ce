#include <ATen/ATen.h>
#include <optotorch/trainers/datasets/detail/planes.h>

#include <utility>

namespace optotorch {

void transpose_planes(at::Tensor& images) {
  TORCH_INTERNAL_ASSERT(images.is_contiguous() && images.size(-1) == images.size(-2));
  const int64_t side = images.size(-1);
  auto* plane = images.mutable_data_ptr<uint8_t>();
  for (const auto* end = plane + images.numel(); plane != end; plane += side * side) {
    for (int64_t row = 0; row < side; ++row) {
      for (int64_t column = row + 1; column < side; ++column) {
        std::swap(plane[row * side + column], plane[column * side + row]);
      }
    }
  }
}

}  // namespace optotorch
