// Dual adaptive training against the published algorithm written out with autograd, and what it promises.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/fourier_lens.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/simulated_system.h>
#include <optotorch/trainers/optimizer_state.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/dual_adaptive.h>
#include <support/differences.h>
#include <support/mesh_cases.h>
#include <support/slow_network.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/linear.h>

#include <cmath>
#include <cstdio>

namespace optotorch {
namespace {

using testing::CorrectionCase;
using testing::expect_close;
using testing::Parameters;
using testing::SlowNetwork;

constexpr int64_t ports = 6, batch = 5, classes = 4;
constexpr size_t meshes = 3;
constexpr double phase_rate = 2e-2;
const Imperfections errors = Imperfections().splitter_error(0.1).phase_error(0.2);

ElectroOpticActivationOptions electro_optics() {
  return ElectroOpticActivationOptions().gain(1.3).bias(0.7);
}

std::shared_ptr<PhysicalSystem> simulated(bool taps = true, int64_t of_ports = ports,
                                          const Imperfections& imperfections = errors) {
  std::vector<Chip> chips;
  for (size_t n = 0; n < meshes; ++n) {
    chips.emplace_back(MziMeshOptions(of_ports).layout(), imperfections, static_cast<int64_t>(n) + 1);
  }
  return std::make_shared<SimulatedSystem>(
      chips, SimulatedSystemOptions()
                 .activation(std::make_shared<ElectroOpticActivationImpl>(electro_optics()))
                 .taps(taps));
}

PhysicalNetworkOptions three(int64_t of_ports = ports) {
  return PhysicalNetworkOptions(of_ports)
      .meshes(meshes)
      .activation(std::make_shared<ElectroOpticActivationImpl>(electro_optics()))
      .detection(Detection::intensity);
}

PhysicalNetwork make(const std::shared_ptr<PhysicalSystem>& system, const PhysicalNetworkOptions& options,
                     const CorrectionCase& row, double size = 0.05) {
  PhysicalNetwork network(system, options);
  network->to(torch::kFloat64);
  std::vector<std::shared_ptr<Correction>> corrections;
  for (size_t n = 0; n < meshes; ++n) {
    corrections.push_back(row.make(options.mesh().layout()));
    testing::perturb(*corrections[n], size);
  }
  network->set_corrections(corrections);
  return network;
}

/// The published read-out: the first ports of I / ||I||_2 are the logits.
const Loss cross_entropy = [](const torch::Tensor& y, const torch::Tensor& target) {
  return torch::nn::functional::cross_entropy(testing::unit(y).narrow(1, 0, classes), target);
};

/// Everything that learns, by the names of SlowNetwork.
Parameters learners(const PhysicalNetworkImpl& network) {
  Parameters all;
  for (const auto& item : network.named_parameters()) {
    all[item.key()] = item.value();
  }
  for (size_t n = 0; n < network.corrections().size(); ++n) {
    for (const auto& item : network.corrections()[n]->named_parameters()) {
      all[c10::str("correction.", n, ".", item.key())] = item.value();
    }
  }
  return all;
}

Parameters copies(const Parameters& parameters) {
  Parameters result;
  for (const auto& [name, tensor] : parameters) {
    result[name] = tensor.clone();
  }
  return result;
}

void expect_equal(const Parameters& a, const Parameters& b, const std::string& what = "") {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (const auto& [name, tensor] : a) {
    ASSERT_EQ(b.count(name), 1U) << what << " " << name;
    EXPECT_TRUE(tensor.equal(b.at(name))) << what << " " << name;
  }
}

/// One step after the other of the published algorithm, for intensities that somebody measured.
class SlowRule {
 public:
  SlowRule(SlowNetwork network_, DualAdaptiveOptions options, Fusion fusion)
      : network(std::move(network_)), options_(std::move(options)), fusion_(fusion) {}

  void step(const torch::Tensor& x, const std::vector<torch::Tensor>& behind, const torch::Tensor& target) {
    const bool separable = options_.similarity() == Similarity::separable;
    const auto states = network.states(x, separable ? &behind : nullptr);
    auto loss = torch::zeros({}, torch::kFloat64);
    for (size_t n = 0; n < meshes; ++n) {
      const bool last = n + 1 == meshes;
      if (!last && options_.similarity() == Similarity::output) {
        continue;
      }
      const int64_t compared = last && options_.compared_ports() > 0 ? options_.compared_ports() : ports;
      loss = loss +
             torch::nn::functional::mse_loss(testing::unit(states[n].abs().square()).narrow(1, 0, compared),
                                             testing::unit(behind[n]).narrow(1, 0, compared));
    }
    similarity_loss = loss.item<double>();
    similarity_gradients = network.gradients(loss);
    const double rate = options_.rate() * options_.schedule()(steps_, options_.steps());
    for (auto& [name, leaf] : network.leaves) {
      if (name.starts_with("correction.")) {
        adam(name, similarity_gradients.at(name), rate);
        if (name.ends_with("splitter_error")) {
          leaf.data().clamp_(-0.5, 0.5);
        }
      }
    }
    const bool warm = steps_ < options_.calibration_steps() + options_.warm_up_steps();
    const auto f = network.fused(x, behind, fusion_, warm ? 0 : 1);
    const auto gradients = network.gradients(cross_entropy(f.abs().square(), target));
    if (steps_++ < options_.calibration_steps()) {
      return;
    }
    for (auto& [name, leaf] : network.leaves) {
      if (!name.starts_with("correction.")) {
        auto gradient = gradients.at(name);
        if (options_.similarity_to_phases() > 0 && similarity_gradients.at(name).defined()) {
          gradient = gradient + options_.similarity_to_phases() * similarity_gradients.at(name);
        }
        adam(name, gradient, phase_rate);
      }
    }
  }

  SlowNetwork network;
  double similarity_loss = 0;
  Parameters similarity_gradients;

 private:
  /// One step of Adam as its paper writes it. What has no gradient stays.
  void adam(const std::string& name, const torch::Tensor& g, double rate) {
    if (!g.defined()) {
      return;
    }
    auto& [t, m, v] = moments_[name];
    m = t == 0 ? 0.1 * g : 0.9 * m + 0.1 * g;
    v = t == 0 ? 0.001 * g * g : 0.999 * v + 0.001 * g * g;
    ++t;
    const auto m_hat = m / (1 - std::pow(0.9, t)), v_hat = v / (1 - std::pow(0.999, t));
    network.leaves.at(name).data().sub_(rate * m_hat / (v_hat.sqrt() + 1e-8));
  }

  struct Moments {
    int t = 0;
    torch::Tensor m, v;
  };

  DualAdaptiveOptions options_;
  Fusion fusion_;
  std::map<std::string, Moments> moments_;
  int64_t steps_ = 0;
};

class DualAdaptiveTest : public OneThreadTest {
 protected:
  DualAdaptiveTest() { torch::manual_seed(7); }

  static torch::Tensor fields() { return torch::randn({batch, ports}, torch::kComplexDouble); }
  static torch::Tensor targets() { return torch::randint(classes, {batch}); }

  /// Four steps of the rule and of the slow one, on two systems of the same chips.
  static void expect_published_steps(const CorrectionCase& row, const DualAdaptiveOptions& options,
                                     Fusion fusion, bool taps = true, bool internal_states = true) {
    auto network = make(simulated(taps), three().fusion(fusion).internal_states(internal_states), row);
    Hybrid net(network);
    const auto system = simulated(taps);
    SlowRule slow(SlowNetwork(*network, row, electro_optics()), options, fusion);
    DualAdaptive rule(options);
    torch::optim::Adam optimizer(network->parameters(), torch::optim::AdamOptions(phase_rate));
    for (int step = 0; step < 4; ++step) {
      const auto x = fields();
      const auto target = targets();
      std::vector<MeshPhases> phases;
      for (size_t n = 0; n < meshes; ++n) {
        phases.push_back({slow.network.leaves.at(c10::str(n, ".theta")),
                          slow.network.leaves.at(c10::str(n, ".phi")),
                          slow.network.leaves.at(c10::str(n, ".gamma"))});
      }
      system->set_phases(phases);
      slow.step(x, system->measure(x).behind, target);
      optimizer.zero_grad();
      rule.step(*net, x, target, cross_entropy);
      optimizer.step();
      EXPECT_NEAR(rule.similarity_loss(), slow.similarity_loss, 1e-10 * slow.similarity_loss) << step;
      for (const auto& [name, parameter] : learners(*network)) {
        expect_close(parameter, slow.network.leaves.at(name).detach(), 1e-8, c10::str(step, " ", name));
        if (name.starts_with("correction.")) {
          EXPECT_TRUE(at::allclose(parameter.grad(), slow.similarity_gradients.at(name), 1e-8, 1e-12))
              << step << " " << name;
        }
      }
    }
  }
};

std::string name_of(Similarity similarity) {
  return similarity == Similarity::output ? "output"
                                          : (similarity == Similarity::unitary ? "unitary" : "separable");
}

TEST_F(DualAdaptiveTest, StepsAreThePublishedOnes) {
  for (const auto& row : {testing::sepn_case("Sepn", {2, 3, 2}), testing::linear_case(),
                          testing::white_box_case("WhiteBox", true)}) {
    for (const auto similarity : {Similarity::output, Similarity::unitary, Similarity::separable}) {
      for (const auto fusion : {Fusion::propagate, Fusion::in_place}) {
        for (const double to_phases : {0.0, 1.0}) {
          SCOPED_TRACE(c10::str(row.name, " ", name_of(similarity), " ",
                                fusion == Fusion::in_place ? "in place" : "propagate", " ", to_phases));
          expect_published_steps(
              row, DualAdaptiveOptions().similarity(similarity).similarity_to_phases(to_phases), fusion);
        }
      }
    }
  }
}

TEST_F(DualAdaptiveTest, StepsHoldWithEveryOption) {
  const auto row = testing::white_box_case("WhiteBox", true);
  const auto options = DualAdaptiveOptions().rate(3e-2).steps(5).schedule(cosine_schedule());
  for (const auto similarity : {Similarity::output, Similarity::unitary, Similarity::separable}) {
    for (const int64_t compared : {1, 4, 6}) {
      SCOPED_TRACE(c10::str(name_of(similarity), " ", compared));
      expect_published_steps(row,
                             DualAdaptiveOptions(options).similarity(similarity).compared_ports(compared),
                             Fusion::propagate);
    }
    for (const double to_phases : {0.0, 0.5}) {
      SCOPED_TRACE(c10::str(name_of(similarity), ", calibration and warm-up, ", to_phases));
      const auto begins = DualAdaptiveOptions(options)
                              .similarity(similarity)
                              .similarity_to_phases(to_phases)
                              .calibration_steps(1)
                              .warm_up_steps(2);
      expect_published_steps(row, begins, Fusion::propagate);
      expect_published_steps(row, begins, Fusion::in_place);
    }
  }
  SCOPED_TRACE("without taps");
  expect_published_steps(row, DualAdaptiveOptions(options).similarity(Similarity::output), Fusion::propagate,
                         /*taps=*/false);
}

// A network that takes no internal states for its own pull-back may still compare them.
TEST_F(DualAdaptiveTest, SeparableStartsFromMeasuredStatesInAnyCase) {
  const auto row = testing::linear_case();
  const auto step = [&](bool internal_states, Fusion fusion) {
    torch::manual_seed(2);
    auto network = make(simulated(), three().internal_states(internal_states).fusion(fusion), row);
    Hybrid net(network);
    DualAdaptive rule(DualAdaptiveOptions().similarity(Similarity::separable));
    rule.step(*net, fields(), targets(), cross_entropy);
    Parameters corrections;
    for (const auto& [name, parameter] : learners(*network)) {
      if (name.starts_with("correction.")) {
        corrections[name] = parameter;
      }
    }
    corrections["loss"] = torch::tensor(rule.similarity_loss());
    return corrections;
  };
  const auto expected = step(true, Fusion::propagate);
  expect_equal(step(true, Fusion::in_place), expected, "in place");
  expect_equal(step(false, Fusion::propagate), expected, "no internal states");
}

TEST_F(DualAdaptiveTest, CalibrationKeepsThePhases) {
  for (const double to_phases : {0.0, 1.0}) {
    auto network = make(simulated(), three(), testing::linear_case());
    Hybrid net(network);
    DualAdaptive rule(DualAdaptiveOptions().calibration_steps(2).similarity_to_phases(to_phases));
    for (int step = 0; step < 3; ++step) {
      net->zero_grad();
      const auto before = copies(learners(*network));
      rule.step(*net, fields(), targets(), cross_entropy);
      for (const auto& [name, parameter] : learners(*network)) {
        const bool of_correction = name.starts_with("correction.");
        EXPECT_EQ(parameter.equal(before.at(name)), !of_correction) << name;
        if (!of_correction) {
          EXPECT_EQ(parameter.grad().defined(), step == 2) << name;
        }
      }
    }
  }
}

TEST_F(DualAdaptiveTest, AStepMeasuresItsBatchOnce) {
  for (const auto similarity : {Similarity::output, Similarity::unitary, Similarity::separable}) {
    const auto system = simulated();
    auto network = make(system, three(), testing::white_box_case("WhiteBox", true));
    Hybrid net(network);
    DualAdaptive rule(DualAdaptiveOptions().similarity(similarity).similarity_to_phases(1));
    torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(phase_rate));
    EXPECT_TRUE(std::isnan(rule.similarity_loss()));
    for (int64_t step = 1; step <= 3; ++step) {
      optimizer.zero_grad();
      const auto result = rule.step(*net, fields(), targets(), cross_entropy);
      optimizer.step();
      EXPECT_EQ(system->measurements(), batch * step);
      EXPECT_EQ(system->commands(), step);
      EXPECT_EQ(result.output.sizes(), (at::IntArrayRef{batch, ports}));
      EXPECT_TRUE(std::isfinite(rule.similarity_loss()));
    }
  }
}

// Other layers around the network learn by back-propagation.
TEST_F(DualAdaptiveTest, TeachesTheLayersAroundTheNetwork) {
  constexpr int64_t window = 3;
  auto network = make(simulated(true, window * window), three(window * window), testing::linear_case());
  Hybrid net(FourierLens(window), MziMesh(window * window), network,
             torch::nn::Linear(window * window, classes));
  net->to(torch::kFloat64);
  const Loss loss = [](const torch::Tensor& y, const torch::Tensor& t) {
    return torch::nn::functional::cross_entropy(y, t);
  };
  const auto x = torch::rand({batch, 1, 6, 6}, torch::kFloat64);
  const auto target = targets();
  DualAdaptive rule(DualAdaptiveOptions().similarity_to_phases(0));
  const auto result = rule.step(*net, x, target, loss);
  Parameters found;
  for (auto& item : net->named_parameters()) {
    ASSERT_TRUE(item.value().grad().defined()) << item.key();
    found[item.key()] = item.value().grad().clone();
  }
  // The corrections have learnt; the task's gradient is that of the layer as it is now.
  net->zero_grad();
  BackPropagation exact;
  EXPECT_TRUE(exact.step(*net, x, target, loss).output.equal(result.output));
  for (const auto& item : net->named_parameters()) {
    expect_close(found.at(item.key()), item.value().grad(), 1e-12, item.key());
  }
}

TEST_F(DualAdaptiveTest, WrongOptionsAndNetworksAreRejected) {
  const auto rejects = [](const std::string& option, const DualAdaptiveOptions& options) {
    expect_complaint({"dat", option}, [&] { DualAdaptive rule(options); });
  };
  for (const double bad : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
    rejects("rate", DualAdaptiveOptions().rate(bad));
  }
  for (const double bad : {-1.0, std::nan(""), HUGE_VAL}) {
    rejects("similarity_to_phases", DualAdaptiveOptions().similarity_to_phases(bad));
  }
  rejects("steps", DualAdaptiveOptions().steps(0));
  rejects("calibration_steps", DualAdaptiveOptions().calibration_steps(-1));
  rejects("warm_up_steps", DualAdaptiveOptions().warm_up_steps(-1));
  rejects("compared_ports", DualAdaptiveOptions().compared_ports(-1));

  const auto x = fields();
  const auto target = targets();
  DualAdaptive rule;
  const auto step = [&](Hybrid net) { rule.step(*net, x, target, cross_entropy); };
  PhysicalNetwork plain(simulated(), three());
  plain->to(torch::kFloat64);
  expect_complaint({"dat", "model", "set_corrections"}, [&] { step(Hybrid(plain)); });
  EXPECT_EQ(plain->system()->measurements(), 0);
  MziMesh mesh(ports);
  mesh->to(torch::kFloat64);
  expect_complaint({"dat", "model"}, [&] { step(Hybrid(mesh, Photodetector())); });
  const auto row = testing::linear_case();
  auto first = make(simulated(), three(), row), second = make(simulated(), three(), row);
  expect_complaint({"dat", "model", "one PhysicalNetwork", "2"}, [&] { step(Hybrid(first, second)); });
  EXPECT_EQ(first->system()->measurements() + second->system()->measurements(), 0);

  auto without_taps = make(simulated(false), three(), row);
  const auto before = copies(learners(*without_taps));
  for (const auto similarity : {Similarity::unitary, Similarity::separable}) {
    rule = DualAdaptive(DualAdaptiveOptions().similarity(similarity));
    expect_complaint({"dat", "taps", "Similarity::output"}, [&] { step(Hybrid(without_taps)); });
  }
  expect_equal(learners(*without_taps), before);
}

/// A run that can be stopped: everything that a checkpoint holds.
struct Course {
  explicit Course(const CorrectionCase& row, int64_t seed = 1) {
    torch::manual_seed(seed);
    network = make(simulated(), three(), row);
    net->push_back(network);
    optimizer =
        std::make_unique<torch::optim::Adam>(network->parameters(), torch::optim::AdamOptions(phase_rate));
  }

  void go(int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      torch::manual_seed(100 + i);
      const auto x = torch::randn({batch, ports}, torch::kComplexDouble);
      const auto target = torch::randint(classes, {batch});
      optimizer->zero_grad();
      rule.step(*net, x, target, cross_entropy);
      optimizer->step();
    }
  }

  PhysicalNetwork network = nullptr;
  Hybrid net;
  std::unique_ptr<torch::optim::Adam> optimizer;
  DualAdaptive rule{
      DualAdaptiveOptions().steps(8).schedule(cosine_schedule()).calibration_steps(1).warm_up_steps(2)};
};

TEST_F(DualAdaptiveTest, AStoppedRunContinuesToTheSameBits) {
  for (const auto& row : {testing::sepn_case("Sepn", {2, 3, 2}), testing::linear_case(),
                          testing::white_box_case("WhiteBox", true)}) {
    Course whole(row);
    whole.go(0, 7);
    for (const int64_t stop : {0, 1, 2, 5}) {
      SCOPED_TRACE(c10::str(row.name, " ", stop));
      Course stopped(row);
      stopped.go(0, stop);
      const auto state = copies(stopped.rule.state());
      const auto adam = optimizer_state(*stopped.optimizer);
      const auto phases = copies(learners(*stopped.network));
      Course fresh(row, /*seed=*/stop == 0 ? 1 : 9);
      fresh.rule.load_state(state);
      if (stop > 0) {
        expect_equal(fresh.rule.state(), state, "a state that waits");
        load_optimizer_state(*fresh.optimizer, adam);
        for (auto& item : fresh.network->named_parameters()) {
          item.value().copy_(phases.at(item.key()));
        }
      }
      stopped.go(stop, 7);  // the state is no longer that of this one
      fresh.go(stop, 7);
      expect_equal(learners(*fresh.network), learners(*whole.network));
      EXPECT_EQ(fresh.rule.similarity_loss(), whole.rule.similarity_loss());
      expect_equal(fresh.rule.state(), whole.rule.state(), "state");
      // Back in time, on a rule at work.
      if (stop > 0) {
        fresh.rule.load_state(state);
        expect_equal(fresh.rule.state(), state, "loaded again");
      }
    }
  }
}

TEST_F(DualAdaptiveTest, StatesOfOthersAreRejectedAndChangeNothing) {
  Course run(testing::linear_case()), other(testing::white_box_case("WhiteBox", true)),
      more(testing::linear_case());
  run.go(0, 2);
  other.go(0, 2);
  more.go(0, 3);
  const auto good = more.rule.state();
  std::vector<Parameters> wrong = {{{"projection", torch::ones({3})}}, other.rule.state()};
  for (const auto* const key : {"steps", "correction.1.matrix", "optimizer"}) {
    wrong.push_back(good);
    wrong.back().erase(key);
  }
  const auto with = [&](const std::string& key, const torch::Tensor& value) {
    wrong.push_back(good);
    wrong.back()[key] = value;
  };
  const auto matrix = good.at("correction.2.matrix");
  with("steps", torch::ones({2}, torch::kInt64));
  with("steps", torch::tensor(1.0));
  with("correction.2.matrix", matrix.narrow(0, 0, 5));
  with("correction.2.matrix", matrix.to(torch::kFloat32));
  with("correction.2.matrix", at::full_like(matrix, std::nan("")));
  with("optimizer", torch::zeros({7}, torch::kByte));
  with("optimizer", torch::ones({7}));
  const auto state = copies(run.rule.state()), before = copies(learners(*run.network));
  for (size_t i = 0; i < wrong.size(); ++i) {
    EXPECT_NE(complaint([&] { run.rule.load_state(wrong[i]); }), "") << i;
    expect_equal(run.rule.state(), state, c10::str(i));
    expect_equal(learners(*run.network), before, c10::str(i));
  }
  // A rule that has met no network cannot know all: then its first step says so, every time.
  for (size_t i = 0; i < wrong.size(); ++i) {
    Course fresh(testing::linear_case(), 4);
    const auto born = copies(learners(*fresh.network));
    if (!complaint([&] { fresh.rule.load_state(wrong[i]); }).empty()) {
      expect_equal(learners(*fresh.network), born, c10::str(i));
      continue;
    }
    for (int attempt = 0; attempt < 2; ++attempt) {
      EXPECT_NE(complaint([&] { fresh.go(0, 1); }), "") << i << ", attempt " << attempt;
      expect_equal(learners(*fresh.network), born, c10::str(i));
      EXPECT_EQ(fresh.network->system()->measurements(), 0) << i;
    }
    fresh.rule.load_state(good);
    fresh.go(0, 1);
  }
}

// alignment() runs a step and puts everything back, corrections too.
TEST_F(DualAdaptiveTest, AlignmentLeavesNoTrace) {
  for (const int64_t steps : {0, 4}) {
    Course run(testing::white_box_case("WhiteBox", true)), twin(testing::white_box_case("WhiteBox", true));
    run.go(0, steps);
    twin.go(0, steps);
    const auto before = copies(learners(*run.network));
    const auto cosines = alignment(run.rule, *run.net, fields(), targets(), cross_entropy);
    ASSERT_EQ(cosines.size(), 1U);
    expect_equal(learners(*run.network), before, std::to_string(steps));
    run.go(steps, steps + 3);
    twin.go(steps, steps + 3);
    expect_equal(learners(*run.network), learners(*twin.network), std::to_string(steps));
  }
}

/// Classes of random fields, scattered anew in every step: from the last readings of one batch alone a
/// correction learns that batch and not the chip.
struct Toy {
  static constexpr int64_t toy_ports = 8, samples = 64;

  /// The mean of the last ten of `steps` losses of the physical system.
  double train(Hybrid& net, Rule& rule, int steps, double rate) const {
    torch::manual_seed(4);
    torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(rate));
    double loss = 0;
    for (int step = 0; step < steps; ++step) {
      const auto x =
          centres.index_select(0, target) + 0.5 * torch::randn({samples, toy_ports}, torch::kComplexDouble);
      optimizer.zero_grad();
      const double now = rule.step(*net, x, target, cross_entropy).loss.item<double>();
      optimizer.step();
      loss += step + 10 < steps ? 0 : now / 10;
    }
    return loss;
  }

  torch::Tensor centres = torch::randn({classes, toy_ports}, torch::kComplexDouble);
  torch::Tensor target = torch::arange(samples).remainder(classes);
};

TEST_F(DualAdaptiveTest, LearnsTheChipAndTheTask) {
  const Toy toy;
  const auto harsh = Imperfections().splitter_error(0.15).phase_error(0.2);
  const auto fresh = [&](const CorrectionCase* row, bool internal_states) {
    torch::manual_seed(3);
    PhysicalNetworkOptions options = three(Toy::toy_ports).internal_states(internal_states);
    auto network = make(simulated(true, Toy::toy_ports, harsh), options,
                        row == nullptr ? testing::linear_case() : *row, 0);
    if (row == nullptr) {
      PhysicalNetwork plain(network->system(), options);
      plain->to(torch::kFloat64);
      plain->copy_phases(
          {network->meshes()[0].get(), network->meshes()[1].get(), network->meshes()[2].get()});
      return plain;
    }
    return network;
  };
  const auto row = testing::white_box_case("WhiteBox", true);
  const auto compare = [&](Similarity similarity, int steps, double rate, int calibration) {
    const bool taps = similarity != Similarity::output;
    BackPropagation by_model;
    Hybrid plain(fresh(nullptr, taps)), taught(fresh(&row, taps));
    const double physics_aware = toy.train(plain, by_model, steps, rate);
    DualAdaptive rule(DualAdaptiveOptions().similarity(similarity).rate(1e-2).calibration_steps(calibration));
    toy.train(taught, rule, 1, rate);
    const double first = rule.similarity_loss();
    toy.train(taught, rule, calibration - 1, rate);
    const double loss = toy.train(taught, rule, steps, rate);
    std::printf("%s: loss %.4f, physics-aware %.4f; similarity %.2e to %.2e\n", name_of(similarity).c_str(),
                loss, physics_aware, first, rule.similarity_loss());
    EXPECT_LT(rule.similarity_loss(), 0.1 * first);
    EXPECT_LT(loss, physics_aware - 0.05);
  };
  compare(Similarity::unitary, 150, phase_rate, 50);
  compare(Similarity::separable, 150, phase_rate, 50);
  // Without taps there is less to learn the chip from: a longer calibration, smaller steps.
  compare(Similarity::output, 400, 5e-3, 400);
}

}  // namespace
}  // namespace optotorch
