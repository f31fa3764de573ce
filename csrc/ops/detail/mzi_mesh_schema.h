#pragma once

// The signatures that mzi_mesh's schema means in C++; the faces in cpu/, meta/ and autograd/ share them.

#include <ATen/core/Tensor.h>
#include <optotorch/ops/mzi_mesh.h>

#include <optional>
#include <string>
#include <string_view>
#include <tuple>

namespace optotorch::ops {

using MziMeshSignature = at::Tensor(const at::Tensor& input, const at::Tensor& theta, const at::Tensor& phi,
                                    const std::optional<at::Tensor>& screen,
                                    const std::optional<at::Tensor>& splitter_error,
                                    const std::optional<at::Tensor>& transmission, std::string_view grid,
                                    int64_t columns, std::string_view phi_arm, std::string_view zero_state,
                                    std::string_view idle_port);

using MziMeshBackwardSignature =
    std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>(
        const at::Tensor& dL_doutput, const at::Tensor& input, const at::Tensor& output,
        const at::Tensor& theta, const at::Tensor& phi, const std::optional<at::Tensor>& screen,
        const std::optional<at::Tensor>& splitter_error, const std::optional<at::Tensor>& transmission,
        std::string_view grid, int64_t columns, std::string_view phi_arm, std::string_view zero_state,
        std::string_view idle_port, bool to_input);

using MziMeshDoubleBackwardSignature =
    std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>(
        const at::Tensor& v_input, const at::Tensor& v_theta, const at::Tensor& v_phi,
        const std::optional<at::Tensor>& v_screen, const std::optional<at::Tensor>& v_splitter_error,
        const std::optional<at::Tensor>& v_transmission, const at::Tensor& dL_doutput,
        const at::Tensor& input, const at::Tensor& theta, const at::Tensor& phi,
        const std::optional<at::Tensor>& screen, const std::optional<at::Tensor>& splitter_error,
        const std::optional<at::Tensor>& transmission, std::string_view grid, int64_t columns,
        std::string_view phi_arm, std::string_view zero_state, std::string_view idle_port);

/// The layout that the schema's strings spell, for the field `input`. Throws unless that is one.
inline MeshLayout layout_from_schema(const at::Tensor& input, std::string_view grid, int64_t columns,
                                     std::string_view arm, std::string_view zero, std::string_view idle) {
  check_mzi_mesh_input(input);
  return {mesh_grid(std::string(grid)),
          input.sym_size(-1).guard_int(__FILE__, __LINE__),
          columns,
          phi_arm(std::string(arm)),
          zero_state(std::string(zero)),
          idle_port(std::string(idle))};
}

}  // namespace optotorch::ops
