#pragma once
#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <optotorch/ops/mesh_layout.h>
namespace optotorch {
struct MeshPhases {
  at::Tensor theta, phi, screen;
};
MeshPhases decompose(const at::Tensor& unitary, const MeshLayout& layout);
MeshPhases haar_phases(const MeshLayout& layout, std::optional<at::Generator> generator = std::nullopt);
}  // namespace optotorch
