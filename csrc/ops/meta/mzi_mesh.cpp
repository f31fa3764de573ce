#include <ATen/ATen.h>
#include <optotorch/ops/mzi_mesh_schema.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

MeshLayout meta_layout(const at::Tensor& input, std::string_view grid, int64_t columns,
                       std::string_view phi_arm, std::string_view zero_state, std::string_view idle_port) {
  const int64_t ports = input.sym_size(-1).guard_int(__FILE__, __LINE__);
  return layout_from_schema(ports, grid, columns, phi_arm, zero_state, idle_port);
}

at::Tensor mzi_mesh_meta(const at::Tensor& input, const at::Tensor& theta, const at::Tensor& phi,
                         const std::optional<at::Tensor>& screen,
                         const std::optional<at::Tensor>& splitter_error,
                         const std::optional<at::Tensor>& transmission, std::string_view grid,
                         int64_t columns, std::string_view phi_arm, std::string_view zero_state,
                         std::string_view idle_port) {
  const auto layout = meta_layout(input, grid, columns, phi_arm, zero_state, idle_port);
  check_mzi_mesh(input, {theta, phi, screen, splitter_error, transmission}, layout);
  return at::empty_symint(input.sym_sizes(), input.options());
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> mzi_mesh_backward_meta(
    const at::Tensor& dL_doutput, const at::Tensor& input, const at::Tensor& output, const at::Tensor& theta,
    const at::Tensor& phi, const std::optional<at::Tensor>& screen,
    const std::optional<at::Tensor>& splitter_error, const std::optional<at::Tensor>& transmission,
    std::string_view grid, int64_t columns, std::string_view phi_arm, std::string_view zero_state,
    std::string_view idle_port) {
  const auto layout = meta_layout(input, grid, columns, phi_arm, zero_state, idle_port);
  check_mzi_mesh_backward(dL_doutput, input, output, {theta, phi, screen, splitter_error, transmission},
                          layout);
  const auto like = [&](const std::optional<at::Tensor>& tensor) {
    return tensor ? at::empty_symint(tensor->sym_sizes(), tensor->options())
                  : at::empty({0}, theta.options());
  };
  return {like(input), like(theta), like(phi), like(screen), like(splitter_error), like(transmission)};
}

TORCH_LIBRARY_IMPL(optotorch, Meta, library) {
  library.impl("mzi_mesh", mzi_mesh_meta);
  library.impl("mzi_mesh_backward", mzi_mesh_backward_meta);
}

}  // namespace
}  // namespace optotorch::ops
