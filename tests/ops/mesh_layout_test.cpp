#include <gtest/gtest.h>
#include <optotorch/ops/mesh_layout.h>

namespace optotorch {
namespace {

TEST(MeshLayoutTest, UniversalGridsHaveOneMziPerPairOfPorts) {
  for (const int64_t ports : {2, 3, 4, 5, 8, 17, 64}) {
    for (const auto grid : {MeshGrid::rectangular, MeshGrid::triangular}) {
      const MeshLayout layout{grid, ports, MeshLayout::universal_columns(grid, ports)};
      EXPECT_EQ(layout.mzis(), ports * (ports - 1) / 2) << to_string(grid) << " " << ports;
    }
  }
}

TEST(MeshLayoutTest, NamesRoundTrip) {
  for (const auto grid : {MeshGrid::rectangular, MeshGrid::triangular}) {
    EXPECT_EQ(mesh_grid(to_string(grid)), grid);
  }
  EXPECT_EQ(phi_arm("input"), PhiArm::input);
  EXPECT_EQ(zero_state("bar"), ZeroState::bar);
  EXPECT_EQ(idle_port("wire"), IdlePort::wire);
  EXPECT_ANY_THROW(mesh_grid("hexagonal"));
}

TEST(MeshLayoutTest, RejectsWhatNoMeshCanBe) {
  EXPECT_ANY_THROW((MeshLayout{MeshGrid::rectangular, 1, 1}.check("test")));
  EXPECT_ANY_THROW((MeshLayout{MeshGrid::rectangular, 4, 0}.check("test")));
  EXPECT_ANY_THROW((MeshLayout{MeshGrid::triangular, 4, 6}.check("test")));
  EXPECT_NO_THROW((MeshLayout{MeshGrid::triangular, 4, 5}.check("test")));
}

}  // namespace
}  // namespace optotorch
