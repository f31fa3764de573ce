#pragma once

// The meshes of a laboratory of meshes.

#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/optics/mzi_mesh.h>

#include <memory>
#include <vector>

namespace optotorch::testing {

/// The stages of a network of meshes.
inline std::vector<std::shared_ptr<MziMeshImpl>> meshes_of(const PhysicalNetworkImpl& network) {
  std::vector<std::shared_ptr<MziMeshImpl>> meshes;
  for (const auto& stage : network.stages()) {
    meshes.push_back(std::dynamic_pointer_cast<MziMeshImpl>(stage));
  }
  return meshes;
}

inline int64_t ports_of(const PhysicalSystem& system) {
  return system.stages().front().input.front();
}

/// What a mesh is commanded.
inline MeshPhases phases_of(const Values& commands) {
  return {find(commands, "theta"), find(commands, "phi"), find(commands, "gamma")};
}

}  // namespace optotorch::testing

namespace optotorch {

using testing::meshes_of;
using testing::phases_of;
using testing::ports_of;

}  // namespace optotorch
