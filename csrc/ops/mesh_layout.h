#pragma once

// Where the Mach-Zehnder interferometers (MZIs) of a mesh sit.

#include <cstdint>
#include <string>
#include <vector>

namespace optotorch {

/// Shape of the grid. Both are brick walls: column c couples neighbouring ports (p, p + 1) with p - c even.
enum class MeshGrid {
  rectangular,  ///< Clements et al. 2016: every such pair; universal with `ports` columns
  triangular,   ///< Reck et al. 1994: p <= min(c, 2 ports - 4 - c); universal with 2 ports - 3 columns
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(MeshGrid) {
  static const std::vector<std::string> all{"rectangular", "triangular"};
  return all;
}

/// The arm, always the upper one, that carries the external phase phi.
enum class PhiArm { input, output };
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(PhiArm) {
  static const std::vector<std::string> all{"input", "output"};
  return all;
}

/// State of an ideal MZI at theta = 0. In the bar convention the inner arms hold theta + pi.
enum class ZeroState { cross, bar };
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(ZeroState) {
  static const std::vector<std::string> all{"cross", "bar"};
  return all;
}

/// A port in a column where no MZI covers it.
enum class IdlePort {
  wire,  ///< nothing: factor 1
  bar,   ///< a dummy MZI fixed in its bar state: factor -i
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(IdlePort) {
  static const std::vector<std::string> all{"wire", "bar"};
  return all;
}

/// Geometry and conventions of a mesh: everything about it but its phases and errors.
///
/// MZIs are numbered column by column, from the top port down; every per-MZI tensor has that order.
struct MeshLayout {
  MeshGrid grid = MeshGrid::rectangular;    ///< arrangement of the MZIs
  int64_t ports = 2;                        ///< inputs, and as many outputs: 2 to 2^15
  int64_t columns = 2;                      ///< columns of MZIs: 1 to 2^18, in a triangle to 2 ports - 3
  PhiArm phi_arm = PhiArm::output;          ///< side of the external phases
  ZeroState zero_state = ZeroState::cross;  ///< meaning of theta = 0
  IdlePort idle_port = IdlePort::wire;      ///< hardware at ports without an MZI in a column

  bool operator==(const MeshLayout&) const = default;

  /// Columns that make the grid universal: `ports` (1 for two ports) or 2 ports - 3.
  static int64_t universal_columns(MeshGrid grid, int64_t ports);

  /// Throws c10::ValueError, in the name of `where`, for ports or columns out of their ranges.
  void check(const std::string& where) const;

  /// Upper port of the first MZI of a column, in either grid; the others follow at every second port.
  static int64_t first_port(int64_t column) { return column % 2; }

  /// Number of MZIs in a column; 0 is possible.
  int64_t pairs(int64_t column) const {
    const int64_t deepest = grid == MeshGrid::rectangular ? ports - 2 : triangle_depth(column);
    return deepest < first_port(column) ? 0 : (deepest - first_port(column)) / 2 + 1;
  }

  /// Number of MZIs in all columns.
  int64_t mzis() const;

 private:
  int64_t triangle_depth(int64_t column) const {
    const int64_t falling = 2 * ports - 4 - column;
    return column < falling ? column : falling;
  }
};

/// @{
/// Name as it stands in operator schemas and configurations: "rectangular", "output", "cross", "wire", ...
std::string to_string(MeshGrid grid);
std::string to_string(PhiArm arm);
std::string to_string(ZeroState state);
std::string to_string(IdlePort port);
/// @}

/// @{
/// The inverse of to_string; throws c10::ValueError with the known names.
MeshGrid mesh_grid(const std::string& name);
PhiArm phi_arm(const std::string& name);
ZeroState zero_state(const std::string& name);
IdlePort idle_port(const std::string& name);
/// @}

}  // namespace optotorch
