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
        std::string_view idle_port);

/// The layout that the schema's strings spell, for a field of `ports` ports.
inline MeshLayout layout_from_schema(int64_t ports, std::string_view grid, int64_t columns,
                                     std::string_view arm, std::string_view zero, std::string_view idle) {
  return {
      mesh_grid(std::string(grid)), ports, columns, phi_arm(std::string(arm)), zero_state(std::string(zero)),
      idle_port(std::string(idle))};
}

}  // namespace optotorch::ops
