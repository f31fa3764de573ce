#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/mesh/decomposition.h>
#include <optotorch/mesh/haar.h>
#include <optotorch/ops/mzi_mesh.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "support/mesh_cases.h"

namespace optotorch {
namespace {

class DecompositionTest : public OneThreadTest {};

using Named = std::pair<std::string, at::Tensor>;

at::Tensor permutation(const std::vector<int64_t>& to) {
  const auto ports = static_cast<int64_t>(to.size());
  const at::Tensor matrix = at::zeros({ports, ports}, at::kComplexDouble);
  for (int64_t port = 0; port < ports; ++port) {
    matrix[to[port]][port] = 1;
  }
  return matrix;
}

at::Tensor diagonal_phases(int64_t ports) {
  const at::Tensor angle = at::arange(ports, at::kDouble).square() * 0.7 - 2;
  return at::diag(at::complex(angle.cos(), angle.sin()));
}

at::Tensor dft(int64_t ports) {
  const at::Tensor k = at::arange(ports, at::kLong);
  const at::Tensor angle = at::outer(k, k).remainder(ports).to(at::kDouble) * (-2 * pi / ports);
  return at::complex(angle.cos(), angle.sin()) / std::sqrt(static_cast<double>(ports));
}

/// Matrices on which ratios, angles and pivots go wrong, besides an ordinary one.
std::vector<Named> unitaries(int64_t ports) {
  std::vector<int64_t> order(ports);
  std::iota(order.begin(), order.end(), int64_t{0});
  const at::Tensor identity = permutation(order);
  std::vector<Named> all{{"identity", identity},
                         {"minus identity", -identity},
                         {"i times identity", identity * c10::complex<double>(0, 1)},
                         {"diagonal", diagonal_phases(ports)},
                         {"Haar", haar_unitary(ports, generator(ports))},
                         {"DFT", dft(ports)}};
  const auto add_permutation = [&](const std::string& what, const std::vector<int64_t>& to) {
    all.emplace_back(what, permutation(to));
    all.emplace_back(what + " with phases", at::matmul(diagonal_phases(ports), all.back().second));
  };
  auto changed = order;
  std::reverse(changed.begin(), changed.end());
  add_permutation("reversal", changed);
  changed = order;
  std::rotate(changed.begin(), changed.begin() + 1, changed.end());
  add_permutation("shift", changed);
  add_permutation("shift back", {[&] {
                    auto back = order;
                    std::rotate(back.begin(), back.end() - 1, back.end());
                    return back;
                  }()});
  const at::Tensor drawn = at::randperm(ports, generator(ports + 1));
  add_permutation("random permutation",
                  {drawn.const_data_ptr<int64_t>(), drawn.const_data_ptr<int64_t>() + ports});
  for (const auto& [a, b] : std::vector<std::pair<int64_t, int64_t>>{
           {0, 1}, {0, ports - 1}, {ports - 2, ports - 1}, {ports / 2, ports - 1}, {0, ports / 2}}) {
    changed = order;
    std::swap(changed[a], changed[b]);
    add_permutation("swap " + std::to_string(a) + " " + std::to_string(b), changed);
  }
  // Real, every element but the diagonal equal.
  all.emplace_back("Householder", identity - at::ones_like(identity) * (2.0 / ports));
  const int64_t half = ports / 2;
  all.emplace_back("block-diagonal", at::block_diag({haar_unitary(half, generator(7)),
                                                     haar_unitary(ports - half, generator(8))}));
  all.emplace_back("block-antidiagonal", all.back().second.roll(half, 0));
  // Unitary to rounding, with every magnitude a double can have where zeros belong.
  for (const double tiny : {1e-17, 1e-160, 1e-300, 1e-310, 5e-324}) {
    const at::Tensor noise = at::complex(at::full({ports, ports}, tiny, at::kDouble).tril(),
                                         at::full({ports, ports}, -tiny, at::kDouble));
    all.emplace_back("identity and " + std::to_string(std::log10(tiny)), identity + noise);
    all.emplace_back("reversal and " + std::to_string(std::log10(tiny)), identity.flip(0) + noise);
  }
  return all;
}

void expect_round_trip(const at::Tensor& unitary, const MeshLayout& layout, const std::string& what) {
  const MeshPhases phases = decompose(unitary, layout);
  const std::string where = what + ", " + name(layout);
  ASSERT_EQ(phases.theta.sizes(), at::IntArrayRef({layout.mzis()})) << where;
  ASSERT_EQ(phases.phi.sizes(), at::IntArrayRef({layout.mzis()})) << where;
  ASSERT_EQ(phases.gamma.sizes(), at::IntArrayRef({layout.ports})) << where;
  expect_in_range(phases.theta, 0, pi, where);
  expect_in_range(phases.phi, 0, std::nextafter(2 * pi, 0), where);
  expect_in_range(phases.gamma, 0, std::nextafter(2 * pi, 0), where);
  EXPECT_LT(distance(reconstruct(phases, layout), unitary), 1e-12) << where;
}

at::Tensor by_reference(const MeshPhases& phases, const MeshLayout& layout) {
  const ops::MeshTensors mesh{.theta = phases.theta, .phi = phases.phi, .screen = phases.gamma};
  return ops::mzi_mesh_reference(at::eye(layout.ports, at::kComplexDouble), mesh, layout).t();
}

MeshPhases random_phases(const MeshLayout& layout, uint64_t seed) {
  auto random = generator(seed);
  const auto draw = [&](int64_t count) { return at::randn({count}, random, at::kDouble) * 5; };
  return {.theta = draw(layout.mzis()), .phi = draw(layout.mzis()), .gamma = draw(layout.ports)};
}

TEST_F(DecompositionTest, EveryConventionRealisesEveryKindOfUnitary) {
  for (const int64_t ports : {2, 3, 4, 5, 7, 8}) {
    for (const auto& [what, unitary] : unitaries(ports)) {
      for (const auto& layout : all_layouts(ports)) {
        expect_round_trip(unitary, layout, what);
      }
    }
  }
}

TEST_F(DecompositionTest, EveryPermutationOfFivePorts) {
  std::vector<int64_t> order{0, 1, 2, 3, 4};
  do {
    for (const auto grid : {MeshGrid::rectangular, MeshGrid::triangular}) {
      expect_round_trip(permutation(order), universal(grid, 5), "permutation");
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(DecompositionTest, LargeMeshesAreAsExact) {
  for (const int64_t ports : {16, 17, 31, 64, 99}) {
    for (const auto& [what, unitary] : unitaries(ports)) {
      expect_round_trip(unitary, universal(MeshGrid::rectangular, ports), what);
      MeshLayout other = universal(MeshGrid::triangular, ports);
      other.phi_arm = PhiArm::input;
      other.zero_state = ZeroState::bar;
      other.idle_port = IdlePort::bar;
      expect_round_trip(unitary, other, what);
    }
  }
}

TEST_F(DecompositionTest, TheLargestMeshesAreAsExact) {
  for (const auto& [what, unitary] : unitaries(256)) {
    if (what == "Haar" || what == "DFT" || what == "reversal") {
      expect_round_trip(unitary, universal(MeshGrid::rectangular, 256), what);
      expect_round_trip(unitary, universal(MeshGrid::triangular, 256), what);
    }
  }
}

TEST_F(DecompositionTest, PermutationsTakeExactSwitches) {
  // Nothing of a permutation is lost in rounding: every MZI is exactly in its bar or its cross state, and
  // its phi, which could then be anything, is off.
  for (const auto& layout : all_layouts(6)) {
    const auto phases = decompose(permutation({3, 0, 5, 1, 4, 2}), layout);
    const at::Tensor off = at::minimum(phases.theta, pi - phases.theta);
    EXPECT_EQ(off.abs().max().item<double>(), 0) << name(layout) << phases.theta;
    EXPECT_EQ(phases.phi.abs().max().item<double>(), 0) << name(layout) << phases.phi;
  }
}

TEST_F(DecompositionTest, ReadsViewsAndSinglePrecision) {
  const auto layout = universal(MeshGrid::rectangular, 6);
  const at::Tensor unitary = haar_unitary(6, generator(3));
  const auto back = [&](const at::Tensor& matrix) { return reconstruct(decompose(matrix, layout), layout); };
  EXPECT_LT(distance(back(unitary.t()), unitary.t().contiguous()), 1e-13);
  EXPECT_LT(distance(back(unitary.conj()), at::conj_physical(unitary)), 1e-13);
  EXPECT_LT(distance(back(unitary.mH()), at::linalg_inv(unitary)), 1e-13);
  const at::Tensor single = unitary.to(at::kComplexFloat);
  EXPECT_LT(distance(back(single), unitary), 1e-6);
  EXPECT_LT(distance(back(single.conj()), at::conj_physical(unitary)), 1e-6);

  const MeshPhases phases = decompose(unitary, layout);
  const MeshPhases floats{phases.theta.to(at::kFloat), phases.phi.to(at::kFloat),
                          phases.gamma.to(at::kFloat)};
  EXPECT_LT(distance(reconstruct(floats, layout), unitary), 1e-5);
  const MeshPhases strided{at::stack({phases.theta, phases.theta}, 1).select(1, 0), phases.phi, phases.gamma};
  EXPECT_LT(distance(reconstruct(strided, layout), unitary), 1e-13);
}

TEST_F(DecompositionTest, AlmostUnitaryMatricesGiveANearbyMesh) {
  const auto noise = at::randn({32, 32}, generator(5), at::kComplexDouble) * 1e-9;
  const at::Tensor matrix = haar_unitary(32, generator(4)) + noise;
  for (const auto grid : {MeshGrid::rectangular, MeshGrid::triangular}) {
    const auto layout = universal(grid, 32);
    EXPECT_LT(distance(reconstruct(decompose(matrix, layout), layout), matrix), 1e-7);
  }
}

TEST_F(DecompositionTest, ReconstructIsTheReferenceAppliedToTheIdentity) {
  for (const int64_t ports : {2, 3, 6, 17, 40}) {
    for (const int64_t columns : {1, 2, 3, 9}) {
      for (const auto grid : {MeshGrid::rectangular, MeshGrid::triangular}) {
        const MeshLayout shape{.grid = grid, .ports = ports, .columns = columns};
        if (grid == MeshGrid::triangular && columns > 2 * ports - 3) {
          continue;
        }
        for (const auto& layout : conventions(shape)) {
          const MeshPhases phases = random_phases(layout, 100 + columns);
          EXPECT_LT(distance(reconstruct(phases, layout), by_reference(phases, layout)), 1e-13)
              << name(layout);
        }
      }
    }
  }
}

TEST_F(DecompositionTest, ThreadsChangeNoBit) {
  const auto layout = universal(MeshGrid::rectangular, 70);
  const MeshPhases phases = haar_phases(layout, generator(2));
  const at::Tensor alone = reconstruct(phases, layout);
  at::set_num_threads(2);
  EXPECT_TRUE(reconstruct(phases, layout).equal(alone));
}

TEST_F(DecompositionTest, ConvertsBetweenAllConventionsAndGrids) {
  for (const int64_t ports : {2, 3, 5, 6}) {
    for (const auto& from : all_layouts(ports)) {
      const MeshPhases phases = random_phases(from, 11);
      const at::Tensor unitary = by_reference(phases, from);
      for (const auto& to : all_layouts(ports)) {
        EXPECT_LT(distance(by_reference(convert(phases, from, to), to), unitary), 1e-13)
            << name(from) << " to " << name(to);
      }
    }
  }
}

TEST_F(DecompositionTest, ConvertsShallowAndDeepMeshesWithinTheirShape) {
  for (const auto& shape : {MeshLayout{.ports = 9, .columns = 3}, MeshLayout{.ports = 4, .columns = 11},
                            MeshLayout{.grid = MeshGrid::triangular, .ports = 6, .columns = 4}}) {
    for (const auto& from : conventions(shape)) {
      const MeshPhases phases = random_phases(from, 12);
      for (const auto& to : conventions(shape)) {
        EXPECT_LT(distance(by_reference(convert(phases, from, to), to), by_reference(phases, from)), 1e-13)
            << name(from) << " to " << name(to);
      }
    }
  }
}

TEST_F(DecompositionTest, ConvertingToTheSameLayoutKeepsEveryPhase) {
  for (const auto& layout : all_layouts(7)) {
    const MeshPhases phases = haar_phases(layout, generator(13));
    const MeshPhases same = convert(phases, layout, layout);
    EXPECT_LT(distance(same.theta, phases.theta), 1e-12) << name(layout);
    EXPECT_LT(distance(same.phi, phases.phi), 1e-12) << name(layout);
    EXPECT_LT(distance(same.gamma, phases.gamma), 1e-12) << name(layout);
  }
}

TEST_F(DecompositionTest, ARealMatrixIsAComplexOne) {
  const auto orthogonal = std::get<0>(at::linalg_qr(at::randn({6, 6}, generator(3), at::kDouble)));
  for (const auto grid : {MeshGrid::rectangular, MeshGrid::triangular}) {
    const auto layout = universal(grid, 6);
    EXPECT_LT(distance(reconstruct(decompose(orthogonal, layout), layout), orthogonal), 1e-13);
    EXPECT_LT(distance(reconstruct(decompose(orthogonal.to(at::kFloat), layout), layout), orthogonal), 1e-6);
  }
}

TEST_F(DecompositionTest, RejectsWhatIsNotAUnitaryOfTheMesh) {
  const auto layout = universal(MeshGrid::rectangular, 4);
  const at::Tensor good = haar_unitary(4, generator(1));
  const auto expect = [&](const std::vector<std::string>& parts, const at::Tensor& matrix) {
    expect_complaint(parts, [&] { decompose(matrix, layout); });
  };
  expect({"decompose: unitary: expected complex128, complex64, float64 or float32 [4, 4], got complex128 [4, "
          "3]"},
         good.narrow(1, 0, 3));
  expect({"expected complex128, complex64, float64 or float32 [4, 4], got complex128 [5, 5]"},
         haar_unitary(5));
  expect({"got complex128 [2, 4, 4]"}, at::stack({good, good}));
  expect({"got int64 [4, 4]"}, at::eye(4, at::kLong));
  expect({"max |U U^H - 1| = 0.21", "singular value"}, at::eye(4, at::kDouble) * 1.1);
  expect({"got an undefined tensor"}, at::Tensor());
  expect({"decompose: unitary: expected a unitary matrix", "max |U U^H - 1| = 0.21", "singular value"},
         good * 1.1);
  // Columns of length 1 are not enough.
  at::Tensor equal = at::full({4, 4}, 0.5, at::kComplexDouble);
  expect({"max |U U^H - 1| = 1"}, equal);
  at::Tensor bad = good.clone();
  bad[2][1] = std::numeric_limits<double>::quiet_NaN();
  expect({"expected finite values"}, bad);
  bad[2][1] = std::numeric_limits<double>::infinity();
  expect({"expected finite values"}, bad);
  bad[2][1] = 1e200;
  expect({"expected a unitary matrix"}, bad);
  // The tolerance is that of the type.
  expect({"max |U U^H - 1| = 2"}, good * (1 + 1e-5));
  EXPECT_EQ(complaint([&] { decompose((good * (1 + 1e-5)).to(at::kComplexFloat), layout); }), "");
  expect({"max |U U^H - 1| = 0.0020"}, (good * (1 + 1e-3)).to(at::kComplexFloat));
}

TEST_F(DecompositionTest, RejectsLayoutsThatAreNotUniversal) {
  const at::Tensor good = haar_unitary(4, generator(1));
  for (const int64_t columns : {3, 5}) {
    expect_complaint({"decompose: layout: expected 4 columns", "got " + std::to_string(columns) + " columns"},
                     [&] { decompose(good, {.ports = 4, .columns = columns}); });
  }
  expect_complaint({"expected 5 columns", "triangular", "got 4 columns"},
                   [&] { decompose(good, {.grid = MeshGrid::triangular, .ports = 4, .columns = 4}); });
  expect_complaint({"expected 1 columns", "got 2 columns"},
                   [&] { decompose(at::eye(2, at::kComplexDouble), {.ports = 2, .columns = 2}); });
  expect_complaint({"decompose: ports"}, [&] { decompose(good, {.ports = 1, .columns = 1}); });
}

TEST_F(DecompositionTest, RejectsPhasesThatDoNotFit) {
  const auto layout = universal(MeshGrid::rectangular, 4);
  const MeshPhases good = random_phases(layout, 1);
  const auto expect = [&](const std::string& part, const MeshPhases& phases) {
    expect_complaint({"reconstruct: " + part}, [&] { reconstruct(phases, layout); });
    expect_complaint({"convert: " + part}, [&] { convert(phases, layout, layout); });
  };
  expect("theta: expected float64 or float32 [6], got float64 [5]",
         {good.theta.narrow(0, 0, 5), good.phi, good.gamma});
  expect("phi: expected float64 or float32 [6], got int64 [6]",
         {good.theta, good.phi.to(at::kLong), good.gamma});
  expect("gamma: expected float64 or float32 [4], got float64 [4, 1]",
         {good.theta, good.phi, good.gamma.unsqueeze(1)});
  expect("phi: expected finite values", {good.theta, good.phi / 0, good.gamma});
}

TEST_F(DecompositionTest, RejectsConversionsThatCannotBe) {
  const auto from = universal(MeshGrid::rectangular, 4);
  const MeshPhases phases = random_phases(from, 1);
  expect_complaint({"convert: to: expected a layout of 4 ports", "got 5 ports"},
                   [&] { convert(phases, from, universal(MeshGrid::rectangular, 5)); });
  expect_complaint({"convert: to: expected 4 columns", "got 6 columns"},
                   [&] { convert(phases, from, {.ports = 4, .columns = 6}); });
  const MeshLayout deep{.ports = 4, .columns = 6};
  expect_complaint({"convert: from: expected 4 columns", "got 6 columns"},
                   [&] { convert(random_phases(deep, 1), deep, from); });
}

}  // namespace
}  // namespace optotorch
