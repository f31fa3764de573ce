#include <ATen/core/dispatch/Dispatcher.h>
#include <optotorch/core/check.h>
#include <optotorch/ops/detail/argument_checks.h>
#include <optotorch/ops/hadamard_projection.h>
#include <optotorch/ops/random_projection.h>
#include <torch/library.h>

#include <algorithm>
#include <bit>

namespace optotorch::ops {

TORCH_LIBRARY_FRAGMENT(optotorch, library) {
  library.def("hadamard_projection(Tensor x, int rows, int seed, int first_row=0) -> Tensor");
}

int64_t hadamard_size(int64_t columns) {
  return std::max(int64_t{16}, static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(columns))));
}

void check_hadamard_projection(const at::Tensor& x, int64_t rows, int64_t first_row) {
  const char* const where = "hadamard_projection";
  OPTOTORCH_CHECK(
      x.defined() && x.dim() == 2 && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble),
      .where = where, .argument = "x", .expected = "float32 or float64 [batch, columns]", .got = describe(x));
  check_dense(where, "x", x);
  OPTOTORCH_CHECK(x.sym_size(1) >= 1 && x.sym_size(1) <= projection_limit / 2, .where = where,
                  .argument = "x", .expected = "1 to 2^30 columns", .got = describe(x));
  OPTOTORCH_CHECK(first_row >= 0 && first_row < projection_limit, .where = where, .argument = "first_row",
                  .expected = "0 to 2^31 - 1", .got = std::to_string(first_row));
  OPTOTORCH_CHECK(rows >= 1 && rows <= projection_limit - first_row, .where = where, .argument = "rows",
                  .expected = "at least 1, and first_row + rows at most 2^31",
                  .got = c10::str("first_row ", first_row, ", rows ", rows));
}

at::Tensor hadamard_projection(const at::Tensor& x, int64_t rows, int64_t seed, int64_t first_row) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("optotorch::hadamard_projection", "")
                             .typed<at::Tensor(const at::Tensor&, int64_t, int64_t, int64_t)>();
  return op.call(x, rows, seed, first_row);
}

}  // namespace optotorch::ops
