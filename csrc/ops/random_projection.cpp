#include <ATen/core/dispatch/Dispatcher.h>
#include <optotorch/core/check.h>
#include <optotorch/ops/detail/argument_checks.h>
#include <optotorch/ops/random_projection.h>
#include <torch/library.h>

#include <array>

namespace optotorch::ops {
namespace {

constexpr std::array<const char*, 3> names = {"rademacher", "normal", "complex_normal"};

}  // namespace

TORCH_LIBRARY_FRAGMENT(optotorch, library) {
  library.def(
      "random_projection(Tensor x, int rows, int seed, str entries=\"normal\", int first_row=0) -> Tensor");
}

std::string entries_name(Entries entries) {
  return names.at(static_cast<size_t>(entries));
}

Entries entries_from(const std::string& name) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (name == names[i]) {
      return static_cast<Entries>(i);
    }
  }
  const auto nearest = nearest_name(name, {names.begin(), names.end()});
  reject({.where = "random_projection",
          .argument = "entries",
          .expected = "rademacher, normal or complex_normal",
          .got = name,
          .remedy = nearest.empty() ? "" : "Did you mean " + nearest + "?"});
}

at::ScalarType random_projection_type(at::ScalarType x, Entries entries) {
  const auto real = x == at::kDouble ? at::kDouble : at::kFloat;
  return entries == Entries::complex_normal ? c10::toComplexType(real) : real;
}

void check_random_projection(const at::Tensor& x, int64_t rows, Entries entries, int64_t first_row) {
  const auto type = x.defined() ? x.scalar_type() : at::ScalarType::Undefined;
  OPTOTORCH_CHECK(
      x.defined() && x.dim() == 2 && (type == at::kFloat || type == at::kDouble || type == at::kChar),
      .where = "random_projection", .argument = "x",
      .expected = "float32, float64 or ternary int8 [batch, columns]", .got = describe(x),
      .remedy = c10::isComplexType(type) ? "Project the real and the imaginary part" : "");
  check_dense("random_projection", "x", x);
  OPTOTORCH_CHECK(x.sym_size(1) >= 1 && x.sym_size(1) <= projection_limit, .where = "random_projection",
                  .argument = "x", .expected = "1 to 2^31 columns", .got = describe(x));
  OPTOTORCH_CHECK(first_row >= 0 && first_row < projection_limit, .where = "random_projection",
                  .argument = "first_row", .expected = "0 to 2^31 - 1", .got = std::to_string(first_row));
  OPTOTORCH_CHECK(rows >= 1 && rows <= projection_limit - first_row, .where = "random_projection",
                  .argument = "rows", .expected = "at least 1, and first_row + rows at most 2^31",
                  .got = c10::str("first_row ", first_row, ", rows ", rows));
}

at::Tensor random_projection(const at::Tensor& x, int64_t rows, int64_t seed, Entries entries,
                             int64_t first_row) {
  static const auto op =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("optotorch::random_projection", "")
          .typed<at::Tensor(const at::Tensor&, int64_t, int64_t, std::string_view, int64_t)>();
  return op.call(x, rows, seed, entries_name(entries), first_row);
}

}  // namespace optotorch::ops
