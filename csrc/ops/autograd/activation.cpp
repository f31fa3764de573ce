#include <ATen/ATen.h>
#include <optotorch/ops/activation.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

class ElectroOpticFunction : public torch::autograd::Function<ElectroOpticFunction> {
 public:
  static Variable forward(AutogradContext* context, const Variable& field, double tap, double gain,
                          double bias) {
    at::AutoDispatchBelowADInplaceOrView guard;
    context->save_for_backward({field});
    context->saved_data["tap"] = tap;
    context->saved_data["gain"] = gain;
    context->saved_data["bias"] = bias;
    return electro_optic(field, tap, gain, bias);
  }

  static variable_list backward(AutogradContext* context, const variable_list& dL_dy) {
    auto& saved = context->saved_data;
    return {electro_optic_backward(dL_dy[0], context->get_saved_variables()[0], saved["tap"].toDouble(),
                                   saved["gain"].toDouble(), saved["bias"].toDouble()),
            {},
            {},
            {}};
  }
};

class SaturableAbsorberFunction : public torch::autograd::Function<SaturableAbsorberFunction> {
 public:
  static Variable forward(AutogradContext* context, const Variable& field, double depth, double saturation) {
    at::AutoDispatchBelowADInplaceOrView guard;
    context->save_for_backward({field});
    context->saved_data["depth"] = depth;
    context->saved_data["saturation"] = saturation;
    return saturable_absorber(field, depth, saturation);
  }

  static variable_list backward(AutogradContext* context, const variable_list& dL_dy) {
    auto& saved = context->saved_data;
    return {saturable_absorber_backward(dL_dy[0], context->get_saved_variables()[0],
                                        saved["depth"].toDouble(), saved["saturation"].toDouble()),
            {},
            {}};
  }
};

class ModReluFunction : public torch::autograd::Function<ModReluFunction> {
 public:
  static Variable forward(AutogradContext* context, const Variable& field, const Variable& bias) {
    at::AutoDispatchBelowADInplaceOrView guard;
    context->save_for_backward({field, bias});
    return mod_relu(field, bias);
  }

  static variable_list backward(AutogradContext* context, const variable_list& dL_dy) {
    const auto saved = context->get_saved_variables();
    auto [dL_dfield, dL_dbias] = mod_relu_backward(dL_dy[0], saved[0], saved[1]);
    return {dL_dfield, dL_dbias};
  }
};

at::Tensor electro_optic_autograd(const at::Tensor& field, double tap, double gain, double bias) {
  return ElectroOpticFunction::apply(field, tap, gain, bias);
}

at::Tensor saturable_absorber_autograd(const at::Tensor& field, double depth, double saturation) {
  return SaturableAbsorberFunction::apply(field, depth, saturation);
}

at::Tensor mod_relu_autograd(const at::Tensor& field, const at::Tensor& bias) {
  return ModReluFunction::apply(field, bias);
}

TORCH_LIBRARY_IMPL(optotorch, Autograd, library) {
  library.impl("electro_optic", electro_optic_autograd);
  library.impl("saturable_absorber", saturable_absorber_autograd);
  library.impl("mod_relu", mod_relu_autograd);
}

}  // namespace
}  // namespace optotorch::ops
