#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <optotorch/core/check.h>
#include <optotorch/ops/detail/argument_checks.h>
#include <optotorch/ops/photodetect.h>
#include <torch/library.h>

#include <cmath>

namespace optotorch::ops {

TORCH_LIBRARY_FRAGMENT(optotorch, library) {
  library.def(
      "photodetect(Tensor field, float shot=0., float thermal=0., int seed=0, int counter=0) -> Tensor");
  library.def("photodetect_backward(Tensor dL_dintensity, Tensor field) -> Tensor");
}

at::Tensor photodetect(const at::Tensor& field, double shot, double thermal, int64_t seed, int64_t counter) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("optotorch::photodetect", "")
                             .typed<at::Tensor(const at::Tensor&, double, double, int64_t, int64_t)>();
  return op.call(field, shot, thermal, seed, counter);
}

at::Tensor photodetect_backward(const at::Tensor& dL_dintensity, const at::Tensor& field) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("optotorch::photodetect_backward", "")
                             .typed<at::Tensor(const at::Tensor&, const at::Tensor&)>();
  return op.call(dL_dintensity, field);
}

void check_photodetect(const at::Tensor& field, double shot, double thermal) {
  check_field("photodetect", "field", field);
  OPTOTORCH_CHECK(shot >= 0 && thermal >= 0 && std::isfinite(shot) && std::isfinite(thermal),
                  .where = "photodetect", .argument = "noise",
                  .expected = "shot >= 0 and thermal >= 0, both finite",
                  .got = c10::str(shot, " and ", thermal));
}

namespace {

at::Tensor compute_photodetect_backward(const at::Tensor& dL_dintensity, const at::Tensor& field) {
  const char* const where = "photodetect_backward";
  check_field(where, "field", field);
  OPTOTORCH_CHECK(dL_dintensity.defined() && dL_dintensity.sym_sizes() == field.sym_sizes() &&
                      dL_dintensity.scalar_type() == c10::toRealValueType(field.scalar_type()),
                  .where = where, .argument = "dL_dintensity",
                  .expected = "the real type and shape of the field, " + describe(field),
                  .got = describe(dL_dintensity));
  check_device(where, "dL_dintensity", dL_dintensity, field);
  return field * (dL_dintensity * 2);
}

TORCH_LIBRARY_IMPL(optotorch, CompositeImplicitAutograd, library) {
  library.impl("photodetect_backward", compute_photodetect_backward);
}

}  // namespace
}  // namespace optotorch::ops
