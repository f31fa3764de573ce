#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <optotorch/core/check.h>
#include <optotorch/ops/detail/argument_checks.h>
#include <optotorch/ops/free_space.h>
#include <torch/library.h>

namespace optotorch::ops {

TORCH_LIBRARY_FRAGMENT(optotorch, library) {
  library.def("free_space(Tensor field, Tensor transfer, int height, int width) -> Tensor");
  library.def(
      "free_space_backward(Tensor dL_doutput, Tensor field, Tensor transfer, bool to_field=True, "
      "bool to_transfer=True) -> (Tensor, Tensor)");
}

at::Tensor free_space(const at::Tensor& field, const at::Tensor& transfer, int64_t height, int64_t width) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("optotorch::free_space", "")
                             .typed<at::Tensor(const at::Tensor&, const at::Tensor&, int64_t, int64_t)>();
  return op.call(field, transfer, height, width);
}

std::tuple<at::Tensor, at::Tensor> free_space_backward(const at::Tensor& dL_doutput, const at::Tensor& field,
                                                       const at::Tensor& transfer, bool to_field,
                                                       bool to_transfer) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("optotorch::free_space_backward", "")
                             .typed<std::tuple<at::Tensor, at::Tensor>(const at::Tensor&, const at::Tensor&,
                                                                       const at::Tensor&, bool, bool)>();
  return op.call(dL_doutput, field, transfer, to_field, to_transfer);
}

namespace {

void check_fits(const char* where, const char* argument, const at::Tensor& transfer,
                const c10::SymInt& height, const c10::SymInt& width) {
  OPTOTORCH_CHECK(
      height >= 1 && width >= 1 && height <= transfer.sym_size(-2) && width <= transfer.sym_size(-1),
      .where = where, .argument = argument,
      .expected = c10::str("1 x 1 to ", transfer.sym_size(-2), " x ", transfer.sym_size(-1),
                           ", the grid of the transfer function"),
      .got = c10::str(height, " x ", width),
      .remedy = "Make the transfer function for windows of these sizes");
}

void check_transfer(const char* where, const at::Tensor& field, const at::Tensor& transfer) {
  check_field(where, "field", field);
  OPTOTORCH_CHECK(field.dim() == 4, .where = where, .argument = "field",
                  .expected = "[batch, planes, height, width]", .got = describe(field));
  OPTOTORCH_CHECK(
      transfer.defined() && transfer.scalar_type() == field.scalar_type() &&
          (transfer.dim() == 2 || (transfer.dim() == 3 && transfer.sym_size(0) == field.sym_size(1))),
      .where = where, .argument = "transfer",
      .expected = c10::str(type_name(field.scalar_type()), " [height, width], or of each of the ",
                           field.sym_size(1), " planes"),
      .got = describe(transfer), .remedy = "Field and transfer function share one precision");
  check_device(where, "transfer", transfer, field);
  check_fits(where, "field", transfer, field.sym_size(2), field.sym_size(3));
}

}  // namespace

void check_free_space(const at::Tensor& field, const at::Tensor& transfer, int64_t height, int64_t width) {
  check_transfer("free_space", field, transfer);
  check_fits("free_space", "output window", transfer, height, width);
}

namespace {

std::tuple<at::Tensor, at::Tensor> compute_free_space_backward(const at::Tensor& dL_doutput,
                                                               const at::Tensor& field,
                                                               const at::Tensor& transfer, bool to_field,
                                                               bool to_transfer) {
  const char* const where = "free_space_backward";
  check_transfer(where, field, transfer);
  OPTOTORCH_CHECK(
      dL_doutput.defined() && dL_doutput.dim() == 4 && dL_doutput.scalar_type() == field.scalar_type() &&
          dL_doutput.sym_size(0) == field.sym_size(0) && dL_doutput.sym_size(1) == field.sym_size(1),
      .where = where, .argument = "dL_doutput",
      .expected = c10::str(type_name(field.scalar_type()), " [", field.sym_size(0), ", ", field.sym_size(1),
                           ", height, width]"),
      .got = describe(dL_doutput));
  check_device(where, "dL_doutput", dL_doutput, field);
  check_fits(where, "dL_doutput", transfer, dL_doutput.sym_size(2), dL_doutput.sym_size(3));
  auto dL_dfield = at::empty({0}, field.options()), dL_dtransfer = at::empty({0}, transfer.options());
  // Physical conjugates cost no more here, and the schema test of opcheck does not take others.
  if (to_field) {
    dL_dfield = free_space(dL_doutput, transfer.conj_physical(), field.size(2), field.size(3));
  }
  if (to_transfer && field.sym_numel() == 0) {  // LibTorch's transform does not take an empty batch
    dL_dtransfer = at::zeros_like(transfer);
  } else if (to_transfer) {
    const std::array<int64_t, 2> padded = {transfer.size(-2), transfer.size(-1)};
    const auto product = at::fft_fft2(field, padded).conj_physical() * at::fft_fft2(dL_doutput, padded);
    const auto points = static_cast<double>(padded[0] * padded[1]);
    dL_dtransfer = (transfer.dim() == 3 ? product.sum(0) : product.sum({0, 1})) / points;
  }
  return {dL_dfield, dL_dtransfer};
}

TORCH_LIBRARY_IMPL(optotorch, CompositeImplicitAutograd, library) {
  library.impl("free_space_backward", compute_free_space_backward);
}

}  // namespace
}  // namespace optotorch::ops
