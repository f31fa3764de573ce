#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/decomposition.h>
namespace optotorch {
MeshPhases decompose(const at::Tensor& unitary, const MeshLayout& layout) {
  reject({"decompose", "x", "y", "z", ""});
}
MeshPhases haar_phases(const MeshLayout& layout, std::optional<at::Generator> generator) {
  auto o = at::TensorOptions().dtype(at::kDouble);
  return {at::rand({layout.mzis()}, o) * 3, at::rand({layout.mzis()}, o) * 6.28,
          at::rand({layout.ports}, o) * 6.28};
}
}  // namespace optotorch
