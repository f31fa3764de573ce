#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/projectors/dense_projector.h>

#include <algorithm>

namespace optotorch {
namespace {

const torch::Tensor& checked(const torch::Tensor& matrix) {
  OPTOTORCH_CHECK(matrix.defined() && matrix.dim() == 2 &&
                      (matrix.scalar_type() == at::kFloat || matrix.scalar_type() == at::kDouble),
                  .where = "DenseProjector", .argument = "matrix",
                  .expected = "float32 or float64 [rows, columns]", .got = describe(matrix));
  check_finite("DenseProjector", "matrix", matrix);
  return matrix;
}

}  // namespace

DenseProjector::DenseProjector(int64_t rows, int64_t columns, int64_t seed, ops::Entries entries)
    : Projector(rows, columns) {
  OPTOTORCH_CHECK(entries != ops::Entries::complex_normal, .where = "DenseProjector", .argument = "entries",
                  .expected = "rademacher or normal", .got = ops::entries_name(entries));
  OPTOTORCH_CHECK(rows <= (int64_t{1} << 38) / columns, .where = "DenseProjector",
                  .argument = "rows, columns", .expected = "at most 2^38 entries: they are stored",
                  .got = c10::str(rows, ", ", columns), .remedy = "A StreamedProjector stores none");
  matrix_ = at::empty({rows, columns}, at::kFloat);
  // Some units at a time: all of them would be as large as the square of the columns.
  constexpr int64_t together = 128;
  for (int64_t first = 0; first < columns; first += together) {
    const int64_t count = std::min(together, columns - first);
    auto units = at::zeros({count, columns}, at::kFloat);
    units.slice(1, first, first + count).fill_diagonal_(1);
    matrix_.slice(1, first, first + count).copy_(ops::random_projection(units, rows, seed, entries).t());
  }
}

DenseProjector::DenseProjector(const torch::Tensor& matrix)
    : Projector(checked(matrix).size(0), checked(matrix).size(1)), matrix_(matrix.detach().clone()) {}

torch::Tensor DenseProjector::matrix_for(const torch::Tensor& values) {
  const std::lock_guard<std::mutex> alone(mutex_);
  if (!used_.defined() || used_.device() != values.device() || used_.scalar_type() != values.scalar_type()) {
    used_ = matrix_.to(values.options());
  }
  return used_;
}

torch::Tensor DenseProjector::compute(const torch::Tensor& x, int64_t first_row, int64_t rows) {
  const auto values = as_values(x);
  return values.mm(matrix_for(values).slice(0, first_row, first_row + rows).t());
}

}  // namespace optotorch
