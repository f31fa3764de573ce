// No arithmetic here: autograd's node for mzi_mesh calls the backward operator.

#include <optotorch/ops/mzi_mesh_schema.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

namespace optotorch::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

class MziMeshFunction : public torch::autograd::Function<MziMeshFunction> {
 public:
  static Variable forward(AutogradContext* context, const Variable& input, const Variable& theta,
                          const Variable& phi, const std::optional<Variable>& screen,
                          const std::optional<Variable>& splitter_error,
                          const std::optional<Variable>& transmission, const MeshLayout& layout) {
    at::AutoDispatchBelowADInplaceOrView guard;
    auto output = mzi_mesh(input, {theta, phi, screen, splitter_error, transmission}, layout);
    const auto saved = [](const std::optional<Variable>& tensor) { return tensor ? *tensor : Variable(); };
    context->save_for_backward(
        {input, output, theta, phi, saved(screen), saved(splitter_error), saved(transmission)});
    context->saved_data["grid"] = static_cast<int64_t>(layout.grid);
    context->saved_data["columns"] = layout.columns;
    context->saved_data["phi_arm"] = static_cast<int64_t>(layout.phi_arm);
    context->saved_data["zero_state"] = static_cast<int64_t>(layout.zero_state);
    context->saved_data["idle_port"] = static_cast<int64_t>(layout.idle_port);
    return output;
  }

  static variable_list backward(AutogradContext* context, const variable_list& dL_dy) {
    const auto saved = context->get_saved_variables();
    const auto loaded = [](const Variable& tensor) {
      return tensor.defined() ? std::optional<Variable>(tensor) : std::nullopt;
    };
    const auto number = [&](const char* key) { return context->saved_data[key].toInt(); };
    const MeshLayout layout{static_cast<MeshGrid>(number("grid")),
                            saved[0].sym_size(-1).guard_int(__FILE__, __LINE__),
                            number("columns"),
                            static_cast<PhiArm>(number("phi_arm")),
                            static_cast<ZeroState>(number("zero_state")),
                            static_cast<IdlePort>(number("idle_port"))};
    const auto gradients =
        mzi_mesh_backward(dL_dy[0], saved[0], saved[1],
                          {saved[2], saved[3], loaded(saved[4]), loaded(saved[5]), loaded(saved[6])}, layout);
    const auto wanted = [](const Variable& tensor, const at::Tensor& gradient) {
      return tensor.defined() ? gradient : Variable();
    };
    return {gradients.dL_dinput,
            gradients.dL_dtheta,
            gradients.dL_dphi,
            wanted(saved[4], gradients.dL_dscreen),
            wanted(saved[5], gradients.dL_dsplitter_error),
            wanted(saved[6], gradients.dL_dtransmission),
            Variable()};
  }
};

at::Tensor mzi_mesh_autograd(const at::Tensor& input, const at::Tensor& theta, const at::Tensor& phi,
                             const std::optional<at::Tensor>& screen,
                             const std::optional<at::Tensor>& splitter_error,
                             const std::optional<at::Tensor>& transmission, std::string_view grid,
                             int64_t columns, std::string_view arm, std::string_view zero,
                             std::string_view idle) {
  return MziMeshFunction::apply(
      input, theta, phi, screen, splitter_error, transmission,
      layout_from_schema(input.sym_size(-1).guard_int(__FILE__, __LINE__), grid, columns, arm, zero, idle));
}

TORCH_LIBRARY_IMPL(optotorch, Autograd, library) {
  library.impl("mzi_mesh", mzi_mesh_autograd);
}

}  // namespace
}  // namespace optotorch::ops
