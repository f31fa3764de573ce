#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace optotorch {

class Layer;

/// What stands between two meshes of a physical system, in words that can be compared with a model.
struct BetweenMeshes {
  enum class Kind : uint32_t {
    untold,              ///< nobody says
    nothing,             ///< light passes as it is
    electro_optic,       ///< ElectroOpticActivation: tap, gain, bias
    saturable_absorber,  ///< SaturableAbsorber: depth, saturation
  };
  static constexpr uint32_t kinds = 4;

  Kind kind = Kind::untold;
  /// Those of the layer's options, in the order above; see its header for their units.
  std::vector<double> constants;

  bool operator==(const BetweenMeshes&) const = default;
};

/// Names of the constants of a kind.
const std::vector<std::string>& constant_names(BetweenMeshes::Kind kind);

/// That of a layer: `untold` for one of another class, `nothing` for nullptr.
BetweenMeshes between_meshes(const Layer* layer);

/// True if both are told and they differ: in kind, or in a constant by more than 1e-6 of it (float32 rounds
/// so).
bool contradict(const BetweenMeshes& a, const BetweenMeshes& b);

/// "electro-optic, tap 0.1, gain 0.15708, bias 3.14159".
std::string describe(const BetweenMeshes& between);

}  // namespace optotorch
