#include <optotorch/core/check.h>
#include <optotorch/modules/projectors/hadamard_projector.h>
#include <optotorch/ops/hadamard_projection.h>

namespace optotorch {

HadamardProjector::HadamardProjector(int64_t rows, int64_t columns, int64_t seed)
    : Projector(rows, columns), seed_(seed) {
  OPTOTORCH_CHECK(columns <= int64_t{1} << 30, .where = "HadamardProjector", .argument = "columns",
                  .expected = "1 to 2^30", .got = c10::str(columns));
}

torch::Tensor HadamardProjector::compute(const torch::Tensor& x, int64_t first_row, int64_t rows) {
  return ops::hadamard_projection(as_values(x), rows, seed_, first_row);
}

}  // namespace optotorch
