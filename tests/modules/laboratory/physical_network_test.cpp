#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <support/differences.h>
#include <support/mesh_cases.h>
#include <support/stages.h>
#include <torch/optim/adam.h>
#include <torch/serialize.h>

#include <filesystem>
#include <sstream>

namespace optotorch {
namespace {

using testing::expect_close;

constexpr int64_t ports = 6;
const Imperfections errors = Imperfections().splitter_error(0.1).phase_error(0.2);

std::shared_ptr<PhysicalSystem> simulated(const Imperfections& imperfections, int64_t seed = 1,
                                          const MziMeshOptions& mesh = ports) {
  return std::make_shared<SimulatedSystem>(Chip(mesh.layout(), imperfections, seed));
}

/// Counts what is asked of it, and fails the test if it is asked for anything while it is `closed`.
struct Spy : PhysicalSystem {
  explicit Spy(const Chip& chip_) : PhysicalSystem(std::vector<MeshLayout>{chip_.layout()}), chip(chip_) {}
  void command(const std::vector<Values>& commands) override {
    EXPECT_FALSE(closed) << "a command";
    ++commanded;
    const auto phases = testing::phases_of(commands[0]);
    set = chip.realise({phases.theta, phases.phi, phases.gamma});
  }
  std::vector<at::Tensor> read(const at::Tensor& x) override {
    EXPECT_FALSE(closed) << "a measurement";
    ++read_calls;
    return {ops::mzi_mesh_reference(x, set, chip.layout()).abs().square()};
  }

  Chip chip;
  ops::MeshTensors set;
  int commanded = 0, read_calls = 0;
  bool closed = false;
};

class PhysicalNetworkTest : public ::testing::Test {
 protected:
  PhysicalNetworkTest() {
    torch::manual_seed(5);
    x = torch::randn({7, ports}, torch::kComplexDouble);
  }

  static PhysicalNetwork make(const std::shared_ptr<PhysicalSystem>& system,
                              const PhysicalNetworkOptions& options = ports) {
    PhysicalNetwork layer(system, options);
    layer->to(torch::kFloat64);
    return layer;
  }

  static std::map<std::string, torch::Tensor> gradients(torch::nn::Module& module) {
    std::map<std::string, torch::Tensor> result;
    for (auto& item : module.named_parameters()) {
      result[item.key().substr(item.key().rfind('.') + 1)] = item.value().grad();
      item.value().mutable_grad() = torch::Tensor();
    }
    return result;
  }

  static void expect_equal(const std::map<std::string, torch::Tensor>& a,
                           const std::map<std::string, torch::Tensor>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (const auto& [name, tensor] : a) {
      ASSERT_EQ(tensor.sizes(), b.at(name).sizes()) << name;
      EXPECT_TRUE(at::allclose(tensor, b.at(name), 1e-12, 1e-12)) << name;  // some are zero but for rounding
    }
  }

  torch::Tensor x;
};

// On a perfect chip the layer is MziMesh and Photodetector in one, in all conventions and for all hooks.
TEST_F(PhysicalNetworkTest, OnAPerfectChipItIsMeshAndDetector) {
  for (const auto& mesh :
       {MziMeshOptions(ports), MziMeshOptions(ports).screen(false).columns(4),
        MziMeshOptions(ports).grid(MeshGrid::triangular).phi_arm(PhiArm::input).zero_state(ZeroState::bar),
        MziMeshOptions(ports).idle_port(IdlePort::bar)}) {
    for (const auto detection : {Detection::amplitude, Detection::intensity}) {
      auto physical =
          make(simulated(Imperfections(), 1, mesh), PhysicalNetworkOptions(mesh).detection(detection));
      MziMesh numerical(mesh);
      numerical->to(torch::kFloat64);
      physical->copy_commands({&*numerical});
      Hybrid net(physical), twin(numerical, Photodetector(PhotodetectorOptions().detection(detection)));
      expect_close(net->forward(x), twin->forward(x), 1e-12, "forward");
      const auto passes = net->propagate(x), twin_passes = twin->propagate(x);
      ASSERT_EQ(net->blocks().size(), 1U);
      ASSERT_EQ(twin->blocks().size(), 1U);
      const auto signal = torch::randn({7, ports}, torch::kFloat64);
      for (const auto hook : {static_cast<Hook>(&Layer::tpfp_update), static_cast<Hook>(&Layer::pullback),
                              static_cast<Hook>(&Layer::dfa_update), static_cast<Hook>(&Layer::dat_update)}) {
        const auto down = net->update(net->blocks()[0], passes, signal, hook, true);
        const auto twin_down = twin->update(twin->blocks()[0], twin_passes, signal, hook, true);
        expect_close(down, twin_down, 1e-12, "signal at the input");
        expect_equal(gradients(*net), gradients(*twin));
        net->update(net->blocks()[0], passes, signal, hook, false);
        twin->update(twin->blocks()[0], twin_passes, signal, hook, false);
        expect_equal(gradients(*net), gradients(*twin));
      }
      net->eval();
      twin->eval();
      expect_close(net->forward(x), twin->forward(x), 1e-12, "eval");
    }
  }
}

// A signal may be complex: dL_dtheta = Re tr((S x^H)^H dW/dtheta), with the nominal W also on a faulty chip.
TEST_F(PhysicalNetworkTest, TwoPassUpdateIsTheFormulaAtTheNominalMatrix) {
  auto physical = make(simulated(errors));
  for (const bool complex : {false, true}) {
    const auto pass = physical->propagate(x);
    const auto signal = torch::randn({7, ports}, complex ? torch::kComplexDouble : torch::kFloat64);
    const auto s = signal.to(torch::kComplexDouble);
    const auto functional = [&] {  // Re sum_b S_b^H W x_b
      return at::real(s.conj() * x.matmul(meshes_of(*physical)[0]->matrix().t())).sum().item<double>();
    };
    const auto down = physical->tpfp_update(pass, signal, true);
    expect_close(down, s.matmul(meshes_of(*physical)[0]->matrix().conj()), 1e-12, "W^H S");
    const auto found = gradients(*physical);
    expect_close(found.at("theta"), testing::central_differences(functional, meshes_of(*physical)[0]->theta),
                 1e-8, "theta");
    expect_close(found.at("phi"), testing::central_differences(functional, meshes_of(*physical)[0]->phi),
                 1e-8, "phi");
    expect_close(found.at("gamma"), testing::central_differences(functional, meshes_of(*physical)[0]->gamma),
                 1e-8, "gamma");
    // The differences were taken in place.
    physical->tpfp_update(physical->propagate(x), signal, false);
    expect_equal(gradients(*physical), found);
  }
}

// Physics-aware: the slope of what was measured, the phase of what was computed.
TEST_F(PhysicalNetworkTest, PullbackFusesMeasuredAmplitudeAndModelledPhase) {
  for (const auto detection : {Detection::amplitude, Detection::intensity}) {
    auto physical = make(simulated(Imperfections(errors).additive_noise(0.3)),
                         PhysicalNetworkOptions(ports).detection(detection));
    const auto pass = physical->propagate(x);
    const bool amplitude = detection == Detection::amplitude;
    const auto intensity = amplitude ? pass.output.square() - 1e-8 : pass.output;
    const auto measured = intensity.clamp_min(0).sqrt();
    const auto z = x.matmul(meshes_of(*physical)[0]->matrix().t());
    const auto w = torch::randn({7, ports}, torch::kFloat64);
    const auto at_field =
        z / z.abs() * measured * w * (amplitude ? 1 / pass.output : at::full({}, 2.0, at::kDouble));
    const auto down = physical->pullback(pass, w);
    const auto found = gradients(*physical);
    expect_close(down, at_field.matmul(meshes_of(*physical)[0]->matrix().conj()), 1e-12);
    physical->tpfp_update(pass, at_field, false);
    expect_equal(found, gradients(*physical));
    for (const auto& [name, gradient] : found) {
      EXPECT_TRUE(gradient.isfinite().all().item<bool>()) << name;  // negative readings too
    }
  }
}

TEST_F(PhysicalNetworkTest, DarkPortsHaveNoSlope) {
  auto physical = make(simulated(Imperfections()));
  const auto pass = physical->propagate(at::zeros_like(x));
  expect_close(pass.output, at::full({7, ports}, 1e-4, at::kDouble), 1e-12);
  const auto down = physical->pullback(pass, torch::ones({7, ports}, torch::kFloat64));
  EXPECT_EQ(at::abs(down).max().item<double>(), 0);
}

TEST_F(PhysicalNetworkTest, UpdatesAskTheSystemForNothing) {
  const auto spy = std::make_shared<Spy>(Chip(MziMeshOptions(ports).layout(), errors, 1));
  auto physical = make(spy);
  EXPECT_EQ(spy->commanded + spy->read_calls, 0);
  const auto pass = physical->propagate(x);
  EXPECT_EQ(spy->commanded, 1);
  EXPECT_EQ(spy->read_calls, 1);
  EXPECT_EQ(spy->measurements(), 7);
  spy->closed = true;
  const auto signal = torch::randn({7, ports}, torch::kFloat64);
  for (const bool to_input : {true, false}) {
    physical->tpfp_update(pass, signal, to_input);
    physical->tpfp_update(pass, at::complex(signal, signal), to_input);
    physical->pullback(pass, signal, to_input);
    physical->dfa_update(pass, signal, to_input);
    physical->dat_update(pass, signal, to_input);
  }
  meshes_of(*physical)[0]->matrix();
  physical->clone();
  EXPECT_THROW(physical->deploy(), c10::ValueError);
  spy->closed = false;
  torch::optim::Adam optimizer(physical->parameters(), torch::optim::AdamOptions(0.1));
  physical->propagate(x);
  EXPECT_EQ(spy->commanded, 1);  // the same phases are not sent again
  optimizer.step();
  EXPECT_EQ(spy->commanded, 1);
  const auto moved = physical->propagate(x);
  EXPECT_EQ(spy->commanded, 2);
  EXPECT_FALSE(moved.output.equal(pass.output));
  EXPECT_EQ(spy->measurements(), 21);
}

TEST_F(PhysicalNetworkTest, AdjointIsThatOfTheNominalMatrix) {
  const auto spy = std::make_shared<Spy>(Chip(MziMeshOptions(ports).layout(), errors, 3));
  auto layer = make(spy);
  spy->closed = true;
  const auto w = meshes_of(*layer)[0]->matrix();
  const auto adjoint = layer->adjoint(x);
  const auto u = torch::randn({3, ports}, torch::kComplexDouble);
  expect_close(adjoint.apply(u), u.matmul(w.conj()), 1e-14, "u -> W^H u of every row");
  // What a read-out sends back is real: it stands at the field as it is.
  const auto real = at::real(u).contiguous();
  expect_close(adjoint.apply(real), at::complex(real, at::zeros_like(real)).matmul(w.conj()), 1e-14, "real");
}

TEST_F(PhysicalNetworkTest, CommandedPhasesAreTheParameters) {
  const auto spy = std::make_shared<Spy>(Chip(MziMeshOptions(ports).layout(), Imperfections(), 1));
  auto physical = make(spy);
  const auto h = physical->forward(x);
  EXPECT_TRUE(spy->set.theta.equal(meshes_of(*physical)[0]->theta));
  EXPECT_TRUE(spy->set.phi.equal(meshes_of(*physical)[0]->phi));
  EXPECT_TRUE(spy->set.screen->equal(meshes_of(*physical)[0]->gamma));
  expect_close(h, (x.matmul(meshes_of(*physical)[0]->matrix().t()).abs().square() + 1e-8).sqrt(), 1e-12);
  const auto named = physical->named_parameters();
  ASSERT_EQ(named.size(), 3U);
  for (const auto& item : MziMesh(ports)->named_parameters()) {
    EXPECT_TRUE(named.contains("0." + item.key())) << item.key();
  }
  EXPECT_TRUE(physical->named_buffers().is_empty());
}

TEST_F(PhysicalNetworkTest, TheModelFollowsEveryChangeOfTheParameters) {
  auto physical = make(simulated(Imperfections()));
  const auto agrees = [&] {
    const auto field =
        x.to(meshes_of(*physical)[0]->theta.scalar_type() == torch::kFloat ? torch::kComplexFloat
                                                                           : torch::kComplexDouble);
    const auto y = meshes_of(*physical)[0]->propagate(field).output.abs();
    expect_close(physical->forward(field), y, 1e-4);
    EXPECT_TRUE(physical->parameters()[0].is_same(meshes_of(*physical)[0]->theta));
  };
  agrees();
  physical->to(torch::kFloat32);
  agrees();
  physical->to(torch::kFloat64);
  meshes_of(*physical)[0]->gamma.detach().add_(1);
  agrees();
  std::stringstream file;
  torch::save(make(simulated(Imperfections())), file);
  const auto before = meshes_of(*physical)[0]->theta.clone();
  torch::load(physical, file);
  EXPECT_FALSE(meshes_of(*physical)[0]->theta.equal(before));
  agrees();
  const auto copy = std::dynamic_pointer_cast<PhysicalNetworkImpl>(physical->clone());
  EXPECT_TRUE(copy->parameters()[0].is_same(meshes_of(*copy)[0]->theta));
  EXPECT_TRUE(meshes_of(*copy)[0]->theta.equal(meshes_of(*physical)[0]->theta));
  EXPECT_FALSE(meshes_of(*copy)[0]->theta.is_same(meshes_of(*physical)[0]->theta));
  const auto pass = physical->propagate(x);
  physical->tpfp_update(pass, torch::ones({7, ports}, torch::kFloat64), false);
  EXPECT_TRUE(meshes_of(*physical)[0]->theta.grad().defined());
  physical->zero_grad();
  EXPECT_FALSE(meshes_of(*physical)[0]->theta.grad().defined());
}

TEST_F(PhysicalNetworkTest, ClonesShareTheSystemAndEachMeasuresItsOwnPhases) {
  const auto system = simulated(errors);
  auto physical = make(system);
  const auto copy = std::dynamic_pointer_cast<PhysicalNetworkImpl>(physical->clone());
  EXPECT_EQ(copy->system(), system);
  const auto before = physical->forward(x);
  meshes_of(*copy)[0]->theta.detach().add_(0.5);
  const auto of_copy = copy->forward(x);
  EXPECT_FALSE(of_copy.equal(before));
  EXPECT_TRUE(physical->forward(x).equal(before));
  EXPECT_TRUE(copy->forward(x).equal(of_copy));
  EXPECT_EQ(system->measurements(), 28);
  EXPECT_EQ(system->commands(), 4);
}

TEST_F(PhysicalNetworkTest, AChipChangesWhatComesOut) {
  const auto output = [&](const Imperfections& imperfections, int64_t seed) {
    torch::manual_seed(9);
    return make(simulated(imperfections, seed))->forward(x);
  };
  EXPECT_TRUE(output(errors, 1).equal(output(errors, 1)));
  EXPECT_GT(testing::relative_distance(output(errors, 1), output(errors, 2)), 0.01);
  EXPECT_GT(testing::relative_distance(output(errors, 1), output(Imperfections(), 1)), 0.01);
}

// What was trained numerically goes to the chip by copy_commands, what was trained on a chip as a file.
TEST_F(PhysicalNetworkTest, TakesThePhasesOfAMesh) {
  MziMesh mesh(MziMeshOptions(ports).imperfect(true));
  mesh->splitter_error.fill_(0.2);
  auto physical = make(simulated(Imperfections()));
  const auto leaves = physical->parameters();
  physical->copy_commands({&*mesh});  // float32 into float64
  for (const auto& item : mesh->named_parameters()) {
    EXPECT_TRUE(physical->named_parameters()["0." + item.key()].equal(item.value().to(torch::kFloat64)))
        << item.key();
  }
  EXPECT_TRUE(leaves[0].is_same(physical->parameters()[0]));
  Hybrid laboratory(physical), another(make(simulated(errors)));
  std::stringstream file;
  torch::save(laboratory, file);
  torch::load(another, file);
  for (const auto& item : laboratory->named_parameters()) {
    EXPECT_TRUE(another->named_parameters()[item.key()].equal(item.value())) << item.key();
  }
}

TEST_F(PhysicalNetworkTest, PhasesOfAnotherDesignAreRejected) {
  auto physical = make(simulated(errors));
  const auto before = meshes_of(*physical)[0]->theta.clone();
  for (const auto& other :
       {MziMeshOptions(ports + 1), MziMeshOptions(ports).phi_arm(PhiArm::input),
        MziMeshOptions(ports).columns(5), MziMeshOptions(ports).zero_state(ZeroState::bar),
        MziMeshOptions(ports).idle_port(IdlePort::bar), MziMeshOptions(ports).grid(MeshGrid::triangular),
        MziMeshOptions(ports).screen(false)}) {
    MziMesh mesh(other);
    expect_complaint({"PhysicalNetwork", "stages"}, [&] { physical->copy_commands({&*mesh}); });
    EXPECT_TRUE(meshes_of(*physical)[0]->theta.equal(before));
  }
}

TEST_F(PhysicalNetworkTest, BadOptionsAndInputAreRejected) {
  const auto system = simulated(errors);
  expect_complaint({"PhysicalNetwork", "system"}, [&] { PhysicalNetwork(nullptr, ports); });
  expect_complaint({"PhysicalNetwork", "system"}, [&] { PhysicalNetwork(system, ports + 1); });
  expect_complaint({"PhysicalNetwork", "system"},
                   [&] { PhysicalNetwork(system, MziMeshOptions(ports).phi_arm(PhiArm::input)); });
  expect_complaint({"PhysicalNetwork", "mesh"},
                   [&] { PhysicalNetwork(system, MziMeshOptions(ports).imperfect(true)); });
  for (const auto detection : {Detection::balanced, Detection::coherent}) {
    expect_complaint({"PhysicalNetwork", "detection"},
                     [&] { PhysicalNetwork(system, PhysicalNetworkOptions(ports).detection(detection)); });
  }
  auto physical = make(system);
  for (const auto& bad : {at::real(x), x.to(torch::kComplexFloat), x.narrow(1, 0, 3), x[0]}) {
    EXPECT_NE(complaint([&] { physical->forward(bad); }), "");
  }
  expect_complaint({"PhysicalSystem", "x"}, [&] { physical->forward(at::full_like(x, std::nan(""))); });
  EXPECT_EQ(system->measurements(), 0);
  const auto pass = physical->propagate(x);
  for (const auto& bad : {torch::Tensor(), torch::ones({6, ports}), torch::ones({7, ports, 1})}) {
    EXPECT_NE(complaint([&] { physical->tpfp_update(pass, bad, true); }), "");
    EXPECT_NE(complaint([&] { physical->pullback(pass, bad); }), "");
  }
  EXPECT_FALSE(meshes_of(*physical)[0]->theta.grad().defined());
  meshes_of(*physical)[0]->theta.detach()[3] = std::nan("");
  expect_complaint({"PhysicalSystem", "theta"}, [&] { physical->forward(x); });
}

// It cannot be exported, but eval mode measures.
TEST_F(PhysicalNetworkTest, CannotBeDeployed) {
  const auto system = simulated(errors);
  auto physical = make(system);
  Hybrid net(physical);
  const auto trained = net->forward(x);
  net->eval();
  EXPECT_TRUE(net->forward(x).equal(trained));
  EXPECT_EQ(system->measurements(), 14);
  expect_complaint({"PhysicalNetwork", "deploy", "stages()"}, [&] { physical->deploy(); });
  const auto path = std::filesystem::temp_directory_path() / "optotorch_physical_network_test.pt";
  std::filesystem::remove(path);
  expect_complaint({"PhysicalNetwork", "deploy"}, [&] { export_torchscript(*net, x, path.string()); });
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace optotorch
