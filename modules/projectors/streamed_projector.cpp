#include <ATen/ATen.h>
#include <optotorch/modules/projectors/streamed_projector.h>

#include <numbers>

namespace optotorch {

torch::Tensor StreamedProjector::compute(const torch::Tensor& x, int64_t first_row, int64_t rows) {
  const auto y = ops::random_projection(x, rows, seed_, entries_, first_row);
  return y.is_complex() ? at::real(y) * std::numbers::sqrt2 : y;
}

}  // namespace optotorch
