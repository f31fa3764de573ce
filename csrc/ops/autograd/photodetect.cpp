#include <ATen/ATen.h>
#include <optotorch/ops/photodetect.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

class PhotodetectFunction : public torch::autograd::Function<PhotodetectFunction> {
 public:
  static Variable forward(AutogradContext* context, const Variable& field, double shot, double thermal,
                          int64_t seed, int64_t counter) {
    at::AutoDispatchBelowADInplaceOrView guard;
    context->save_for_backward({field});
    return photodetect(field, shot, thermal, seed, counter);
  }

  static variable_list backward(AutogradContext* context, const variable_list& dL_dy) {
    return {photodetect_backward(dL_dy[0], context->get_saved_variables()[0]), {}, {}, {}, {}};
  }
};

at::Tensor photodetect_autograd(const at::Tensor& field, double shot, double thermal, int64_t seed,
                                int64_t counter) {
  return PhotodetectFunction::apply(field, shot, thermal, seed, counter);
}

TORCH_LIBRARY_IMPL(optotorch, Autograd, library) {
  library.impl("photodetect", photodetect_autograd);
}

}  // namespace
}  // namespace optotorch::ops
