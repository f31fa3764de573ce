#include <optotorch/core/check.h>
#include <optotorch/ops/detail/argument_checks.h>

#include <cmath>

namespace optotorch::ops {

void check_dense(const char* where, const char* argument, const at::Tensor& tensor) {
  OPTOTORCH_CHECK(tensor.defined(), .where = where, .argument = argument, .expected = "a tensor",
                  .got = describe(tensor));
  OPTOTORCH_CHECK(tensor.layout() == at::kStrided, .where = where, .argument = argument,
                  .expected = "a dense tensor",
                  .got = c10::str(describe(tensor), " of layout ", tensor.layout()),
                  .remedy = "Make it dense by .to_dense()");
}

void check_field(const char* where, const char* argument, const at::Tensor& tensor) {
  OPTOTORCH_CHECK(tensor.defined() && (tensor.scalar_type() == at::kComplexFloat ||
                                       tensor.scalar_type() == at::kComplexDouble),
                  .where = where, .argument = argument, .expected = "a complex64 or complex128 field",
                  .got = describe(tensor), .remedy = "A Modulator turns real values into a field");
  check_dense(where, argument, tensor);
}

void check_like(const char* where, const char* argument, const at::Tensor& tensor, const at::Tensor& field) {
  OPTOTORCH_CHECK(tensor.defined() && tensor.scalar_type() == field.scalar_type() &&
                      tensor.sym_sizes() == field.sym_sizes(),
                  .where = where, .argument = argument, .expected = describe(field), .got = describe(tensor));
  check_device(where, argument, tensor, field);
}

void check_device(const char* where, const char* argument, const at::Tensor& tensor,
                  const at::Tensor& field) {
  check_dense(where, argument, tensor);
  OPTOTORCH_CHECK(tensor.device() == field.device(), .where = where, .argument = argument,
                  .expected = c10::str("a tensor on ", field.device(), " as the input"),
                  .got = c10::str("one on ", tensor.device()),
                  .remedy = c10::str("Move it by .to(\"", field.device(), "\")"));
}

void check_finite_number(const char* where, const char* argument, double number) {
  OPTOTORCH_CHECK(std::isfinite(number), .where = where, .argument = argument, .expected = "a finite number",
                  .got = c10::str(number));
}

}  // namespace optotorch::ops
