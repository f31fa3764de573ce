#include <optotorch/core/check.h>
#include <optotorch/ops/mesh_layout.h>

#include <array>
#include <utility>

namespace optotorch {
namespace {

template <typename Enum, size_t n>
Enum from_name(const std::string& what, const std::string& name, const std::array<Enum, n>& values) {
  std::string known;
  for (const Enum value : values) {
    if (to_string(value) == name) {
      return value;
    }
    known += (known.empty() ? "'" : " or '") + to_string(value) + "'";
  }
  reject({.where = "mzi_mesh", .argument = what, .expected = known, .got = "'" + name + "'"});
}

}  // namespace

int64_t MeshLayout::universal_columns(MeshGrid grid, int64_t ports) {
  if (grid == MeshGrid::triangular) {
    return 2 * ports - 3;
  }
  return ports == 2 ? 1 : ports;
}

void MeshLayout::check(const std::string& where) const {
  // 2^15 ports are half a billion MZIs: beyond any chip, and the products below stay far from overflow.
  constexpr int64_t most = 1 << 15;
  OPTOTORCH_CHECK(ports >= 2 && ports <= most, .where = where, .argument = "ports",
                  .expected = c10::str("2 to ", most), .got = std::to_string(ports));
  const int64_t widest = grid == MeshGrid::triangular ? 2 * ports - 3 : most * 8;
  OPTOTORCH_CHECK(
      columns >= 1 && columns <= widest, .where = where, .argument = "columns",
      .expected = c10::str("1 to ", widest, " for a ", to_string(grid), " mesh of ", ports, " ports"),
      .got = std::to_string(columns));
}

int64_t MeshLayout::mzis() const {
  int64_t count = 0;
  for (int64_t column = 0; column < columns; ++column) {
    count += pairs(column);
  }
  return count;
}

std::string to_string(MeshGrid grid) {
  return grid == MeshGrid::rectangular ? "rectangular" : "triangular";
}
std::string to_string(PhiArm arm) {
  return arm == PhiArm::input ? "input" : "output";
}
std::string to_string(ZeroState state) {
  return state == ZeroState::cross ? "cross" : "bar";
}
std::string to_string(IdlePort port) {
  return port == IdlePort::wire ? "wire" : "bar";
}

MeshGrid mesh_grid(const std::string& name) {
  return from_name("grid", name, std::array{MeshGrid::rectangular, MeshGrid::triangular});
}
PhiArm phi_arm(const std::string& name) {
  return from_name("phi_arm", name, std::array{PhiArm::input, PhiArm::output});
}
ZeroState zero_state(const std::string& name) {
  return from_name("zero_state", name, std::array{ZeroState::cross, ZeroState::bar});
}
IdlePort idle_port(const std::string& name) {
  return from_name("idle_port", name, std::array{IdlePort::wire, IdlePort::bar});
}

}  // namespace optotorch
