#include <ATen/core/dispatch/Dispatcher.h>
#include <optotorch/ops/photodetect.h>
#include <torch/library.h>

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

}  // namespace optotorch::ops
