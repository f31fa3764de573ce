#include <optotorch/modules/hadamard_projector.h>
#include <optotorch/ops/hadamard_projection.h>

namespace optotorch {

torch::Tensor HadamardProjector::compute(const torch::Tensor& x, int64_t first_row, int64_t rows) {
  return ops::hadamard_projection(as_values(x), rows, seed_, first_row);
}

}  // namespace optotorch
