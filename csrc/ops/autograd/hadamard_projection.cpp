#include <optotorch/ops/autograd/derivatives.h>
#include <optotorch/ops/hadamard_projection.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

at::Tensor hadamard_projection_autograd(const at::Tensor& x, int64_t rows, int64_t seed, int64_t first_row) {
  check_hadamard_projection(x, rows, first_row);
  return without_derivative(
      "hadamard_projection", "x",
      "The matrix is never stored and has no pull-back: detach x, or multiply by a matrix of your own",
      [=](const at::Tensor& input) { return hadamard_projection(input, rows, seed, first_row); }, x);
}

TORCH_LIBRARY_IMPL(optotorch, Autograd, library) {
  library.impl("hadamard_projection", hadamard_projection_autograd);
}

}  // namespace
}  // namespace optotorch::ops
