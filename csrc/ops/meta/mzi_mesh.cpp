#include <ATen/ATen.h>
#include <optotorch/ops/detail/mzi_mesh_schema.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

at::Tensor mzi_mesh_meta(const at::Tensor& input, const at::Tensor& theta, const at::Tensor& phi,
                         const std::optional<at::Tensor>& screen,
                         const std::optional<at::Tensor>& splitter_error,
                         const std::optional<at::Tensor>& transmission, std::string_view grid,
                         int64_t columns, std::string_view phi_arm, std::string_view zero_state,
                         std::string_view idle_port) {
  const auto layout = layout_from_schema(input, grid, columns, phi_arm, zero_state, idle_port);
  check_mzi_mesh(input, {theta, phi, screen, splitter_error, transmission}, layout);
  return at::empty_symint(input.sym_sizes(), input.options());
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> mzi_mesh_backward_meta(
    const at::Tensor& dL_doutput, const at::Tensor& input, const at::Tensor& output, const at::Tensor& theta,
    const at::Tensor& phi, const std::optional<at::Tensor>& screen,
    const std::optional<at::Tensor>& splitter_error, const std::optional<at::Tensor>& transmission,
    std::string_view grid, int64_t columns, std::string_view phi_arm, std::string_view zero_state,
    std::string_view idle_port, bool to_input) {
  const auto layout = layout_from_schema(input, grid, columns, phi_arm, zero_state, idle_port);
  check_mzi_mesh_backward(dL_doutput, input, output, {theta, phi, screen, splitter_error, transmission},
                          layout);
  const auto like = [&](const std::optional<at::Tensor>& tensor) {
    return tensor ? at::empty_symint(tensor->sym_sizes(), tensor->options())
                  : at::empty({0}, theta.options());
  };
  return {to_input ? like(input) : at::empty({0}, input.options()),
          like(theta),
          like(phi),
          like(screen),
          like(splitter_error),
          like(transmission)};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>
mzi_mesh_double_backward_meta(const at::Tensor& v_input, const at::Tensor& v_theta, const at::Tensor& v_phi,
                              const std::optional<at::Tensor>& v_screen,
                              const std::optional<at::Tensor>& v_splitter_error,
                              const std::optional<at::Tensor>& v_transmission, const at::Tensor& dL_doutput,
                              const at::Tensor& input, const at::Tensor& theta, const at::Tensor& phi,
                              const std::optional<at::Tensor>& screen,
                              const std::optional<at::Tensor>& splitter_error,
                              const std::optional<at::Tensor>& transmission, std::string_view grid,
                              int64_t columns, std::string_view phi_arm, std::string_view zero_state,
                              std::string_view idle_port) {
  const auto layout = layout_from_schema(input, grid, columns, phi_arm, zero_state, idle_port);
  check_mzi_mesh_double_backward(v_input, {v_theta, v_phi, v_screen, v_splitter_error, v_transmission},
                                 dL_doutput, input, {theta, phi, screen, splitter_error, transmission},
                                 layout);
  const auto like = [&](const std::optional<at::Tensor>& tensor) {
    return tensor ? at::empty_symint(tensor->sym_sizes(), tensor->options())
                  : at::empty({0}, theta.options());
  };
  return {like(input),  like(input),          like(theta),       like(phi),
          like(screen), like(splitter_error), like(transmission)};
}

TORCH_LIBRARY_IMPL(optotorch, Meta, library) {
  library.impl("mzi_mesh", mzi_mesh_meta);
  library.impl("mzi_mesh_backward", mzi_mesh_backward_meta);
  library.impl("mzi_mesh_double_backward", mzi_mesh_double_backward_meta);
}

}  // namespace
}  // namespace optotorch::ops
