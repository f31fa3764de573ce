// The simulated chip, and what every PhysicalSystem checks and counts.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <support/differences.h>
#include <support/mesh_cases.h>

#include <limits>

namespace optotorch {
namespace {

using testing::expect_close;

const MeshLayout six_ports = universal(MeshGrid::rectangular, 6);
const Imperfections system_errors = Imperfections().splitter_error(0.1).phase_error(0.2).loss_db(0.3);

MeshPhases random_phases(at::ScalarType type = at::kDouble) {
  return {at::rand({15}, type) * pi, at::rand({15}, type) * 6, at::rand({6}, type) * 6};
}

at::Tensor output(PhysicalSystem& system, const at::Tensor& x) {
  return system.measure(x).output();
}

class SimulatedSystemTest : public ::testing::Test {
 protected:
  SimulatedSystemTest() { at::manual_seed(3); }

  at::Tensor x = at::randn({4, 6}, at::kComplexDouble);
  MeshPhases phases = random_phases();
};

TEST_F(SimulatedSystemTest, MeasuresTheMeshWithTheChipsErrors) {
  const Chip chip(six_ports, system_errors, 5);
  const auto known = chip.tensors();
  SimulatedSystem system(chip);
  system.set_phases({phases});
  const auto field =
      ops::mzi_mesh_reference(x,
                              {phases.theta + known.theta_offset, phases.phi + known.phi_offset, phases.gamma,
                               known.splitter_error, known.transmission},
                              six_ports);
  expect_close(output(system, x), field.abs().square(), 1e-13);
  // Without a screen, and after another command.
  system.set_phases({{phases.theta, phases.theta, {}}});
  const auto other = ops::mzi_mesh_reference(x,
                                             {phases.theta + known.theta_offset,
                                              phases.theta + known.phi_offset,
                                              {},
                                              known.splitter_error,
                                              known.transmission},
                                             six_ports);
  expect_close(output(system, x), other.abs().square(), 1e-13);
}

TEST_F(SimulatedSystemTest, APerfectChipIsTheModel) {
  SimulatedSystem system(Chip(six_ports, Imperfections(), 5));
  system.set_phases({phases});
  const auto field = ops::mzi_mesh(x, {phases.theta, phases.phi, phases.gamma}, six_ports);
  expect_close(output(system, x), field.abs().square(), 1e-15);
  // Energy is kept; with loss it is not.
  expect_close(output(system, x).sum(1), x.abs().square().sum(1), 1e-14);
  SimulatedSystem lossy(Chip(six_ports, Imperfections().loss_db(0.3), 5));
  lossy.set_phases({phases});
  EXPECT_TRUE(output(lossy, x).sum(1).lt(0.95 * x.abs().square().sum(1)).all().item<bool>());
}

TEST_F(SimulatedSystemTest, ErrorsAndSeedsMatter) {
  const auto reading = [&](const Imperfections& imperfections, int64_t seed) {
    SimulatedSystem system(Chip(six_ports, imperfections, seed));
    system.set_phases({phases});
    return output(system, x);
  };
  const auto perfect = reading(Imperfections(), 5);
  for (const auto& imperfections :
       {Imperfections().splitter_error(0.05), Imperfections().phase_error(0.05), Imperfections().loss_db(0.5),
        Imperfections().relative_noise(0.05), Imperfections().additive_noise(0.05)}) {
    EXPECT_GT(testing::relative_distance(reading(imperfections, 5), perfect), 1e-3);
    EXPECT_TRUE(reading(imperfections, 5).equal(reading(imperfections, 5)));
    if (imperfections.loss_db() == 0) {
      EXPECT_GT(testing::relative_distance(reading(imperfections, 5), reading(imperfections, 6)), 1e-3);
    }
  }
}

TEST_F(SimulatedSystemTest, ABatchInPartsIsReadLikeTheWhole) {
  const Chip chip(six_ports, Imperfections(system_errors).relative_noise(0.05).additive_noise(0.01), 5);
  SimulatedSystem whole(chip), parts(chip);
  whole.set_phases({phases});
  parts.set_phases({phases});
  const auto many = at::randn({300, 6}, at::kComplexDouble);  // so many go through the matrix, not the mesh
  const auto together = output(whole, many);
  std::vector<at::Tensor> pieces;
  for (const auto& piece : many.split_with_sizes({1, 40, 0, 259})) {
    pieces.push_back(output(parts, piece));
  }
  expect_close(at::cat(pieces), together, 1e-13);
  EXPECT_EQ(parts.measurements(), whole.measurements());
  // Noise goes on: the same light is read anew.
  EXPECT_GT(testing::relative_distance(output(whole, many), together), 1e-3);
}

TEST_F(SimulatedSystemTest, BothPrecisionsMeetTheSameChip) {
  SimulatedSystem system(Chip(six_ports, Imperfections(system_errors).additive_noise(0.01), 5));
  SimulatedSystem single(Chip(six_ports, Imperfections(system_errors).additive_noise(0.01), 5));
  const auto coarse = random_phases(at::kFloat);
  system.set_phases({coarse});
  single.set_phases({coarse});
  const auto field = x.to(at::kComplexFloat);
  const auto exact = output(system, field.to(at::kComplexDouble)), rough = output(single, field);
  EXPECT_EQ(exact.scalar_type(), at::kDouble);
  EXPECT_EQ(rough.scalar_type(), at::kFloat);
  expect_close(rough.to(at::kDouble), exact, 1e-5);
  // One system serves both in turn.
  EXPECT_EQ(output(system, field).scalar_type(), at::kFloat);
  EXPECT_EQ(output(system, x).scalar_type(), at::kDouble);
}

TEST_F(SimulatedSystemTest, LazilyConjugatedAndStridedFieldsAreReadRight) {
  SimulatedSystem system(Chip(six_ports, system_errors, 5));
  system.set_phases({phases});
  EXPECT_TRUE(output(system, x.conj()).equal(output(system, x.conj().resolve_conj())));
  EXPECT_TRUE(output(system, x.t().contiguous().t()).equal(output(system, x)));
}

TEST_F(SimulatedSystemTest, CountsSamplesAndCommands) {
  SimulatedSystem system(Chip(six_ports, system_errors, 5));
  EXPECT_EQ(system.measurements(), 0);
  system.set_phases({phases});
  system.set_phases({phases});
  EXPECT_EQ(system.commands(), 1);
  system.set_phases({{phases.theta.clone(), phases.phi.clone(), phases.gamma.clone()}});
  EXPECT_EQ(system.commands(), 1);
  output(system, x);
  output(system, x.narrow(0, 0, 3));
  EXPECT_EQ(system.measurements(), 7);
  EXPECT_EQ(output(system, x.narrow(0, 0, 0)).size(0), 0);
  EXPECT_EQ(system.measurements(), 7);
  system.set_phases({{phases.theta, phases.phi, {}}});  // no screen is another command
  EXPECT_EQ(system.commands(), 2);
  const auto before = output(system, x);
  phases.phi.add_(0.1);  // a step in place changes nothing until it is commanded
  EXPECT_TRUE(output(system, x).equal(before));
  system.set_phases({phases});
  EXPECT_EQ(system.commands(), 3);
  EXPECT_FALSE(output(system, x).equal(before));
}

TEST_F(SimulatedSystemTest, BadInputIsRejectedAndChangesNothing) {
  SimulatedSystem system(Chip(six_ports, system_errors, 5));
  expect_complaint({"PhysicalSystem", "commands", "set_commands"}, [&] { output(system, x); });
  system.set_phases({phases});
  const auto before = output(system, x);
  const auto rejects = [&](const std::string& argument, const at::Tensor& theta, const at::Tensor& phi,
                           const at::Tensor& gamma) {
    expect_complaint({"PhysicalSystem", argument}, [&] { system.set_phases({{theta, phi, gamma}}); });
    EXPECT_EQ(system.commands(), 1);
    EXPECT_TRUE(output(system, x).equal(before)) << argument;
  };
  const auto& [theta, phi, gamma] = phases;
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    rejects("theta", at::full_like(theta, bad), phi, gamma);
    rejects("phi", theta, at::full_like(theta, bad), gamma);
    rejects("gamma", theta + 1, phi, at::full_like(gamma, bad));
  }
  rejects("theta", theta.narrow(0, 1, 14), phi, gamma);
  rejects("theta", at::Tensor(), phi, gamma);
  rejects("theta", theta.unsqueeze(0), phi, gamma);
  rejects("phi", theta, phi.to(at::kLong), gamma);
  rejects("phi", theta, phi.to(at::kComplexDouble), gamma);
  rejects("gamma", theta, phi, theta);
  const int64_t measured = system.measurements();
  for (const auto& bad :
       {at::Tensor(), at::real(x), x.narrow(1, 0, 5), x[0], x.unsqueeze(0), at::full_like(x, std::nan(""))}) {
    expect_complaint({"PhysicalSystem", "x"}, [&] { output(system, bad); });
  }
  EXPECT_EQ(system.measurements(), measured);
  expect_complaint({"PhysicalSystem", "ports"}, [] {
    struct Nothing : PhysicalSystem {
      using PhysicalSystem::PhysicalSystem;
      void command(const std::vector<Values>&) override {}
      std::vector<at::Tensor> read(const at::Tensor& field) override { return {field}; }
    };
    Nothing nothing(std::vector<MeshLayout>{MeshLayout{.ports = 1}});
  });
}

// Light goes through all chips and the optics between them; monitors take nothing of it.
TEST_F(SimulatedSystemTest, SeveralChipsStandInARow) {
  const auto between = std::make_shared<ElectroOpticActivationImpl>();
  const std::vector<Chip> chips = {Chip(six_ports, system_errors, 5), Chip(six_ports, system_errors, 6),
                                   Chip(six_ports, system_errors, 7)};
  const std::vector<MeshPhases> all = {phases, random_phases(), random_phases()};
  for (const bool optics : {true, false}) {
    std::vector<at::Tensor> expected;
    auto field = x;
    for (size_t n = 0; n < chips.size(); ++n) {
      field = n > 0 && optics ? between->forward(field) : field;
      field = ops::mzi_mesh_reference(field, chips[n].realise({all[n].theta, all[n].phi, all[n].gamma}),
                                      six_ports);
      expected.push_back(field.abs().square());
    }
    for (const bool monitors : {true, false}) {
      SimulatedSystem system(
          chips, SimulatedSystemOptions().activation(optics ? between : nullptr).monitors(monitors));
      EXPECT_EQ(system.has_monitors(), monitors);
      system.set_phases(all);
      const auto readings = system.measure(x);
      ASSERT_EQ(readings.behind.size(), chips.size());
      for (size_t n = 0; n < chips.size(); ++n) {
        ASSERT_EQ(readings.behind[n].defined(), monitors || n + 1 == chips.size()) << n;
        if (readings.behind[n].defined()) {
          expect_close(readings.behind[n], expected[n], 1e-12, std::to_string(n));
        }
      }
      EXPECT_EQ(system.measurements(), 4);
      EXPECT_EQ(system.commands(), 1);
      auto others = all;
      others[1].phi = all[1].phi + 0.1;  // one of three is another command
      system.set_phases(others);
      EXPECT_EQ(system.commands(), 2);
      EXPECT_FALSE(system.measure(x).output().equal(readings.output()));
      others[2].theta = all[2].theta.narrow(0, 0, 14);
      expect_complaint({"PhysicalSystem", "theta of stage 2"}, [&] { system.set_phases(others); });
      expect_complaint({"PhysicalSystem", "commands", "3"}, [&] { system.set_phases({phases}); });
      EXPECT_EQ(system.commands(), 2);
    }
  }
  expect_complaint({"PhysicalSystem", "stages"}, [] { SimulatedSystem none(std::vector<Chip>{}); });
  expect_complaint({"PhysicalSystem", "stage 1", "[6]"}, [] {
    SimulatedSystem uneven(std::vector<Chip>{Chip(six_ports, system_errors, 5),
                                             Chip(universal(MeshGrid::rectangular, 5), system_errors, 5)});
  });
}

/// An instrument that fails when it is told to.
struct Unreliable : PhysicalSystem {
  Unreliable() : PhysicalSystem(std::vector<MeshLayout>{six_ports}) {}
  void command(const std::vector<Values>& commands) override {
    if (fails) {
      throw std::runtime_error("no answer");
    }
    for (const auto& [name, own_copy] : commands[0]) {
      own_copy.zero_();
    }
  }
  std::vector<at::Tensor> read(const at::Tensor& x) override { return {answer}; }

  bool fails = false;
  at::Tensor answer = at::ones({4, 6});
};

TEST_F(SimulatedSystemTest, AFailedCommandIsSentAgain) {
  Unreliable system;
  system.set_phases({phases});
  const auto others = random_phases();
  system.fails = true;
  EXPECT_THROW(system.set_phases({others}), std::runtime_error);
  EXPECT_THROW(output(system, x), c10::ValueError);  // what the phases are now, nobody knows
  system.fails = false;
  system.set_phases({phases});
  EXPECT_EQ(system.commands(), 2);
  system.set_phases({phases});
  EXPECT_EQ(system.commands(), 2);
}

TEST_F(SimulatedSystemTest, ReadingsOfAnImplementationAreChecked) {
  Unreliable system;
  system.set_phases({phases});
  EXPECT_EQ(output(system, x).scalar_type(), at::kDouble);  // the instrument answers in float32
  EXPECT_EQ(system.measurements(), 4);
  for (const auto& bad : {at::Tensor(), at::ones({4, 5}), at::ones({4, 6}, at::kComplexFloat),
                          at::full({4, 6}, std::nan(""))}) {
    system.answer = bad;
    expect_complaint({"PhysicalSystem", "reading"}, [&] { output(system, x); });
  }
  EXPECT_EQ(system.measurements(), 4);
}

}  // namespace
}  // namespace optotorch
