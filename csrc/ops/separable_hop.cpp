#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <optotorch/core/check.h>
#include <optotorch/ops/detail/argument_checks.h>
#include <optotorch/ops/separable_hop.h>
#include <torch/library.h>

namespace optotorch::ops {

TORCH_LIBRARY_FRAGMENT(optotorch, library) {
  library.def("separable_hop(Tensor field, Tensor down, Tensor across) -> Tensor");
  library.def(
      "separable_hop_backward(Tensor dL_doutput, Tensor field, Tensor down, Tensor across, bool "
      "to_field=True, "
      "bool to_matrices=True) -> (Tensor, Tensor, Tensor)");
}

at::Tensor separable_hop(const at::Tensor& field, const at::Tensor& down, const at::Tensor& across) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("optotorch::separable_hop", "")
                             .typed<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&)>();
  return op.call(field, down, across);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> separable_hop_backward(const at::Tensor& dL_doutput,
                                                                      const at::Tensor& field,
                                                                      const at::Tensor& down,
                                                                      const at::Tensor& across, bool to_field,
                                                                      bool to_matrices) {
  static const auto op =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("optotorch::separable_hop_backward", "")
          .typed<std::tuple<at::Tensor, at::Tensor, at::Tensor>(
              const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, bool, bool)>();
  return op.call(dL_doutput, field, down, across, to_field, to_matrices);
}

namespace {

void check_matrix(const char* where, const char* name, const at::Tensor& matrix, const at::Tensor& field,
                  int64_t side) {
  const bool fits = matrix.defined() && matrix.scalar_type() == field.scalar_type() &&
                    (matrix.dim() == 2 || (matrix.dim() == 3 && matrix.sym_size(0) == field.sym_size(1))) &&
                    matrix.sym_size(-1) == field.sym_size(side) && matrix.sym_size(-2) >= 1;
  OPTOTORCH_CHECK(fits, .where = where, .argument = name,
                  .expected = c10::str(type_name(field.scalar_type()), " [outputs, ", field.sym_size(side),
                                       "], or of each of the ", field.sym_size(1), " planes"),
                  .got = describe(matrix), .remedy = "Field and matrices share one precision");
  check_device(where, name, matrix, field);
}

void check_matrices(const char* where, const at::Tensor& field, const at::Tensor& down,
                    const at::Tensor& across) {
  check_field(where, "field", field);
  OPTOTORCH_CHECK(field.dim() == 4 && field.sym_size(2) >= 1 && field.sym_size(3) >= 1, .where = where,
                  .argument = "field", .expected = "[batch, planes, height, width]", .got = describe(field));
  check_matrix(where, "down", down, field, 2);
  check_matrix(where, "across", across, field, 3);
}

/// Of a matrix for all planes, the sum over them.
at::Tensor over_planes(const at::Tensor& products, const at::Tensor& matrix) {
  return matrix.dim() == 3 ? products.sum(0) : products.sum({0, 1});
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> compute_separable_hop_backward(
    const at::Tensor& dL_doutput, const at::Tensor& field, const at::Tensor& down, const at::Tensor& across,
    bool to_field, bool to_matrices) {
  const char* const where = "separable_hop_backward";
  check_matrices(where, field, down, across);
  OPTOTORCH_CHECK(
      dL_doutput.defined() && dL_doutput.dim() == 4 && dL_doutput.scalar_type() == field.scalar_type() &&
          dL_doutput.sym_size(0) == field.sym_size(0) && dL_doutput.sym_size(1) == field.sym_size(1) &&
          dL_doutput.sym_size(2) == down.sym_size(-2) && dL_doutput.sym_size(3) == across.sym_size(-2),
      .where = where, .argument = "dL_doutput",
      .expected = c10::str(type_name(field.scalar_type()), " [", field.sym_size(0), ", ", field.sym_size(1),
                           ", ", down.sym_size(-2), ", ", across.sym_size(-2), "]"),
      .got = describe(dL_doutput));
  check_device(where, "dL_doutput", dL_doutput, field);
  auto dL_dfield = at::empty({0}, field.options()), dL_ddown = at::empty({0}, down.options()),
       dL_dacross = at::empty({0}, across.options());
  // Physical conjugates cost no more here, and the schema test of opcheck does not take others.
  if (to_field) {
    dL_dfield = separable_hop(dL_doutput, down.mT().conj_physical(), across.mT().conj_physical());
  }
  if (to_matrices) {
    const auto seen_across = at::matmul(field, across.mT()), seen_down = at::matmul(down, field);
    dL_ddown = over_planes(at::matmul(dL_doutput, seen_across.mT().conj_physical()), down);
    dL_dacross = over_planes(at::matmul(dL_doutput.mT(), seen_down.conj_physical()), across);
  }
  return {dL_dfield, dL_ddown, dL_dacross};
}

TORCH_LIBRARY_IMPL(optotorch, CompositeImplicitAutograd, library) {
  library.impl("separable_hop_backward", compute_separable_hop_backward);
}

}  // namespace

void check_separable_hop(const at::Tensor& field, const at::Tensor& down, const at::Tensor& across) {
  check_matrices("separable_hop", field, down, across);
}

}  // namespace optotorch::ops
