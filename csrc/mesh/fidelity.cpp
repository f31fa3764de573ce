#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/mesh/fidelity.h>

namespace optotorch {
namespace {

/// The matrix in complex128, its largest element of magnitude 1: then no square is lost.
at::Tensor scaled(const std::string& argument, const at::Tensor& matrix) {
  constexpr char where[] = "fidelity";
  OPTOTORCH_CHECK(matrix.defined() && matrix.dim() == 2 && matrix.numel() > 0 &&
                      (matrix.is_floating_point() || matrix.is_complex()),
                  .where = where, .argument = argument, .expected = "a real or complex matrix",
                  .got = describe(matrix));
  check_finite(where, argument, matrix);
  const at::Tensor wide = matrix.detach().to(at::kCPU, at::kComplexDouble);
  const double most = wide.abs().max().item<double>();
  OPTOTORCH_CHECK(most > 0, .where = where, .argument = argument, .expected = "a matrix that is not zero",
                  .got = "zeros");
  return wide / most;
}

}  // namespace

double fidelity(const at::Tensor& u, const at::Tensor& v) {
  // Shapes before values: a tensor may look far larger than its memory is.
  OPTOTORCH_CHECK(!u.defined() || !v.defined() || u.sizes() == v.sizes(), .where = "fidelity",
                  .argument = "v", .expected = c10::str("the shape of u, ", u.sizes()), .got = describe(v));
  const at::Tensor a = scaled("u", u), b = scaled("v", v);
  const auto power = [](const at::Tensor& matrix) { return matrix.abs().square().sum().item<double>(); };
  const double overlap = (a.conj() * b).sum().abs().item<double>();
  return overlap * overlap / (power(a) * power(b));
}

}  // namespace optotorch
