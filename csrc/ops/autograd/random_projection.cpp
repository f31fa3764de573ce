#include <optotorch/ops/autograd/derivatives.h>
#include <optotorch/ops/random_projection.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

at::Tensor random_projection_autograd(const at::Tensor& x, int64_t rows, int64_t seed,
                                      std::string_view entries, int64_t first_row) {
  const auto kind = entries_from(std::string(entries));
  check_random_projection(x, rows, kind, first_row);
  return without_derivative(
      "random_projection", "x",
      "The matrix is never stored and has no pull-back: detach x, or multiply by a matrix of your own",
      [=](const at::Tensor& input) { return random_projection(input, rows, seed, kind, first_row); }, x);
}

TORCH_LIBRARY_IMPL(optotorch, Autograd, library) {
  library.impl("random_projection", random_projection_autograd);
}

}  // namespace
}  // namespace optotorch::ops
