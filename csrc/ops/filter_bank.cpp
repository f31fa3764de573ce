#include <ATen/core/dispatch/Dispatcher.h>
#include <optotorch/core/check.h>
#include <optotorch/ops/detail/argument_checks.h>
#include <optotorch/ops/filter_bank.h>
#include <torch/library.h>

namespace optotorch::ops {

TORCH_LIBRARY_FRAGMENT(optotorch, library) {
  library.def(
      "filter_bank(Tensor waveform, Tensor coefficients, int order, int delay, int window, float memory) -> "
      "Tensor");
  library.def(
      "filter_bank_backward(Tensor dL_dy, Tensor waveform, Tensor coefficients, int order, int delay, int "
      "window, "
      "float memory, bool to_waveform=True, bool to_coefficients=True) -> (Tensor, Tensor)");
  library.def(
      "filter_bank_double_backward(Tensor? v_waveform, Tensor? v_coefficients, Tensor dL_dy, Tensor "
      "waveform, "
      "Tensor coefficients, int order, int delay, int window, float memory) -> (Tensor, Tensor, Tensor)");
}

namespace {

void check_range(const char* argument, int64_t value, int64_t most) {
  OPTOTORCH_CHECK(value >= 1 && value <= most, .where = "filter_bank", .argument = argument,
                  .expected = c10::str("1 to ", most), .got = std::to_string(value));
}

}  // namespace

void FilterBankLayout::check() const {
  check_range("order", order, 16);
  check_range("delay", delay, 4096);
  check_range("window", window, int64_t{1} << 24);
  OPTOTORCH_CHECK((memory >= 0 && memory < 1) || memory == integrate_and_dump, .where = "filter_bank",
                  .argument = "memory", .expected = "0 to below 1, or -1 for the mean of a window",
                  .got = c10::str(memory));
}

void check_filter_bank(const at::Tensor& waveform, const at::Tensor& coefficients,
                       const FilterBankLayout& layout) {
  layout.check();
  check_field("filter_bank", "waveform", waveform);
  OPTOTORCH_CHECK(waveform.dim() == 2 && waveform.sym_size(1) >= layout.window, .where = "filter_bank",
                  .argument = "waveform",
                  .expected = c10::str("[batch, samples], at least a window of ", layout.window, " samples"),
                  .got = describe(waveform));
  OPTOTORCH_CHECK(coefficients.defined() && coefficients.scalar_type() == waveform.scalar_type() &&
                      coefficients.dim() == 2 && coefficients.sym_size(0) >= 1 &&
                      coefficients.sym_size(1) == 3,
                  .where = "filter_bank", .argument = "coefficients",
                  .expected = c10::str(type_name(waveform.scalar_type()), " [filters, 3]"),
                  .got = describe(coefficients), .remedy = "Both share one precision");
  check_device("filter_bank", "coefficients", coefficients, waveform);
}

void check_filter_bank_backward(const at::Tensor& dL_dy, const at::Tensor& waveform,
                                const at::Tensor& coefficients, const FilterBankLayout& layout) {
  check_filter_bank(waveform, coefficients, layout);
  const auto type = c10::toRealValueType(waveform.scalar_type());
  const auto windows = waveform.sym_size(1) / layout.window;
  OPTOTORCH_CHECK(dL_dy.defined() && dL_dy.scalar_type() == type && dL_dy.dim() == 3 &&
                      dL_dy.sym_size(0) == waveform.sym_size(0) &&
                      dL_dy.sym_size(1) == coefficients.sym_size(0) && dL_dy.sym_size(2) == windows,
                  .where = "filter_bank_backward", .argument = "dL_dy",
                  .expected = c10::str(type_name(type), " [", waveform.sym_size(0), ", ",
                                       coefficients.sym_size(0), ", ", windows, "]"),
                  .got = describe(dL_dy));
  check_device("filter_bank_backward", "dL_dy", dL_dy, waveform);
}

void check_filter_bank_double_backward(const std::optional<at::Tensor>& v_waveform,
                                       const std::optional<at::Tensor>& v_coefficients,
                                       const at::Tensor& dL_dy, const at::Tensor& waveform,
                                       const at::Tensor& coefficients, const FilterBankLayout& layout) {
  check_filter_bank_backward(dL_dy, waveform, coefficients, layout);
  if (v_waveform) {
    check_like("filter_bank_double_backward", "v_waveform", *v_waveform, waveform);
  }
  if (v_coefficients) {
    check_like("filter_bank_double_backward", "v_coefficients", *v_coefficients, coefficients);
  }
}

at::Tensor filter_bank(const at::Tensor& waveform, const at::Tensor& coefficients,
                       const FilterBankLayout& layout) {
  static const auto op =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("optotorch::filter_bank", "")
          .typed<at::Tensor(const at::Tensor&, const at::Tensor&, int64_t, int64_t, int64_t, double)>();
  return op.call(waveform, coefficients, layout.order, layout.delay, layout.window, layout.memory);
}

std::tuple<at::Tensor, at::Tensor> filter_bank_backward(const at::Tensor& dL_dy, const at::Tensor& waveform,
                                                        const at::Tensor& coefficients,
                                                        const FilterBankLayout& layout, bool to_waveform,
                                                        bool to_coefficients) {
  static const auto op =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("optotorch::filter_bank_backward", "")
          .typed<std::tuple<at::Tensor, at::Tensor>(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                                    int64_t, int64_t, int64_t, double, bool, bool)>();
  return op.call(dL_dy, waveform, coefficients, layout.order, layout.delay, layout.window, layout.memory,
                 to_waveform, to_coefficients);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> filter_bank_double_backward(
    const std::optional<at::Tensor>& v_waveform, const std::optional<at::Tensor>& v_coefficients,
    const at::Tensor& dL_dy, const at::Tensor& waveform, const at::Tensor& coefficients,
    const FilterBankLayout& layout) {
  static const auto op =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("optotorch::filter_bank_double_backward", "")
          .typed<std::tuple<at::Tensor, at::Tensor, at::Tensor>(
              const std::optional<at::Tensor>&, const std::optional<at::Tensor>&, const at::Tensor&,
              const at::Tensor&, const at::Tensor&, int64_t, int64_t, int64_t, double)>();
  return op.call(v_waveform, v_coefficients, dL_dy, waveform, coefficients, layout.order, layout.delay,
                 layout.window, layout.memory);
}

}  // namespace optotorch::ops
