#include <ATen/ATen.h>
#include <optotorch/ops/sepn.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

SepnLayout layout_of(const at::Tensor& x, at::IntArrayRef features) {
  return {x.size(-1), {features[0], features[1], features[2]}};
}

class SepnFunction : public torch::autograd::Function<SepnFunction> {
 public:
  static Variable forward(AutogradContext* context, const Variable& x, const Variable& parameters,
                          at::IntArrayRef features) {
    at::AutoDispatchBelowADInplaceOrView guard;
    context->save_for_backward({x, parameters});
    context->saved_data["features"] = features.vec();
    return sepn(x, parameters, layout_of(x, features));
  }

  static variable_list backward(AutogradContext* context, const variable_list& dL_dy) {
    const auto saved = context->get_saved_variables();
    const auto features = context->saved_data["features"].toIntVector();
    auto [dL_dx, dL_dparameters] = sepn_backward(dL_dy[0], saved[0], saved[1], layout_of(saved[0], features),
                                                 context->needs_input_grad(0), context->needs_input_grad(1));
    return {dL_dx, dL_dparameters, {}};
  }
};

TORCH_LIBRARY_IMPL(optotorch, Autograd, library) {
  library.impl("sepn", [](const at::Tensor& x, const at::Tensor& parameters, at::IntArrayRef features) {
    return SepnFunction::apply(x, parameters, features);
  });
}

}  // namespace
}  // namespace optotorch::ops
