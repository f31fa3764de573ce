#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/projectors/projector.h>
#include <optotorch/ops/random_projection.h>

namespace optotorch {

Projector::Projector(int64_t rows, int64_t columns) : rows_(rows), columns_(columns) {
  OPTOTORCH_CHECK(
      rows >= 1 && rows <= ops::projection_limit && columns >= 1 && columns <= ops::projection_limit,
      .where = "Projector", .argument = "rows, columns", .expected = "1 to 2^31 each",
      .got = c10::str(rows, ", ", columns));
}

torch::Tensor Projector::project(const torch::Tensor& x, int64_t first_row, int64_t rows) {
  const bool known = x.defined() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble ||
                                     x.scalar_type() == at::kChar);
  OPTOTORCH_CHECK(known && x.dim() == 2 && x.size(1) == columns_, .where = name(), .argument = "x",
                  .expected = c10::str("float32, float64 or ternary int8 [batch, ", columns_, "]"),
                  .got = describe(x));
  OPTOTORCH_CHECK(first_row >= 0 && rows >= 1 && first_row <= rows_ - rows, .where = name(),
                  .argument = "rows", .expected = c10::str("a slice of ", rows_, " rows"),
                  .got = c10::str(rows, " from ", first_row, " on"));
  if (x.scalar_type() != at::kChar) {
    check_finite(name(), "x", x);
  } else if (x.numel() > 0) {
    const auto [least, most] = at::aminmax(x);
    OPTOTORCH_CHECK(least.item<int64_t>() >= -1 && most.item<int64_t>() <= 1, .where = name(),
                    .argument = "x", .expected = "int8 values -1, 0 and 1",
                    .got = c10::str(least.item<int64_t>(), " to ", most.item<int64_t>()),
                    .remedy = "Encode it by TernaryFrames");
  }
  const torch::NoGradGuard no_grad;
  auto y = compute(x, first_row, rows);
  OPTOTORCH_CHECK(y.defined() && y.dim() == 2 && y.size(0) == x.size(0) && y.size(1) == rows, .where = name(),
                  .argument = "product", .expected = c10::str("[", x.size(0), ", ", rows, "]"),
                  .got = describe(y),
                  .remedy = "A projector's `compute` returns the rows that are asked for");
  return y;
}

void Projector::load_state(const std::map<std::string, torch::Tensor>& state) {
  OPTOTORCH_CHECK(state.empty(), .where = name(), .argument = "state", .expected = "none",
                  .got = "'" + state.begin()->first + "'", .remedy = "The state is of another projector");
}

torch::Tensor as_values(const torch::Tensor& x) {
  return x.scalar_type() == at::kChar ? x.to(at::kFloat) : x;
}

}  // namespace optotorch
