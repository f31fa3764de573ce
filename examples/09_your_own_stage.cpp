// Hardware of one's own in the laboratory: a row of all-pass microrings behind a mesh, whose resonances
// nobody knows, then electronics, then a second laboratory. A stage says what is commanded, what kinds of
// errors it may have, and what it does to light; chips, corrections, physics-aware and dual adaptive
// training, and the instrument's wire follow.
//
//     example_09 [DATA]      DATA: the folder that holds MNIST/raw; by default "data"

#include <ATen/ATen.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/laboratory/corrections/white_box_correction.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/fourier_lens.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/mnist.h>
#include <optotorch/trainers/metrics.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <optotorch/trainers/rules/laboratory/in_silico.h>
#include <optotorch/trainers/trainer.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/loss.h>
#include <torch/optim/adam.h>
#include <torch/utils.h>

#include <iostream>
#include <numbers>

namespace {

using namespace optotorch;
using torch::Tensor;

struct RingRowOptions {
  RingRowOptions(int64_t ports) : ports_(ports) {}
  TORCH_ARG(int64_t, ports);
  TORCH_ARG(double, coupling) = 0.8;    ///< self-coupling amplitude r of the ring's coupler, in (0, 1)
  TORCH_ARG(double, round_trip) = 0.9;  ///< amplitude a after one round trip, in (0, 1]

 public:
  void fields(FieldVisitor& visit) {
    visit("ports", ports_);
    visit("coupling", coupling_);
    visit("round_trip", round_trip_);
  }
};

/// y = t(phase + phase_offset) x,  t = (r - a e) / (1 - r a e),  e = exp(i phase).
class RingRowImpl : public CloneableLayer<RingRowImpl, Stage> {
 public:
  explicit RingRowImpl(RingRowOptions options_) : CloneableLayer("RingRow"), options(options_) {
    phase = register_phases("phase", torch::empty({options.ports()}).uniform_(0, 2 * std::numbers::pi));
  }

  std::vector<StageError> errors() const override {
    return {{"phase_offset", {options.ports()}, "phase_error"}};
  }

  Tensor respond(const Tensor& x, const Values& commands, const Values& errors) const override {
    return x * transfer(plus(commands.at("phase"), errors, "phase_offset"));
  }

  // dL_dphase = Re(conj(dL_dy) x dt/dphase), summed over the batch;  dL_dx = conj(t) dL_dy
  Gradients respond_backward(const Tensor& dL_dy, const Tensor& x, const Tensor& y, const Values& commands,
                             const Values& errors, const Wanted& wanted) const override {
    const auto at_phase = plus(commands.at("phase"), errors, "phase_offset");
    const double r = options.coupling(), a = options.round_trip();
    const Tensor e = at::polar(torch::ones_like(at_phase), at_phase);
    const Tensor dt = e * c10::complex<double>(0, a * (r * r - 1)) / (1 - r * a * e).square();
    const Tensor dL_dphase = at::real(dL_dy.conj() * x * dt).sum(0);
    return {.dL_dx = dL_dy * transfer(at_phase).conj(),
            .commands = {{"phase", dL_dphase}},
            .errors = {{"phase_offset", dL_dphase}}};
  }

  RingRowOptions options;
  Tensor phase;

 protected:
  StageDesign make_design() const override {
    const std::vector<int64_t> ports{options.ports()};
    return {.type = "RingRow",
            .options = describe_options(*this),
            .input = ports,
            .output = ports,
            .commands = {{"phase", {ports}}}};
  }

  void check_input(const Tensor& x) const override {
    check_field(*this, x, options.ports());
    check_precision(*this, x, phase);
  }

 private:
  Tensor transfer(const Tensor& at_phase) const {
    const double r = options.coupling(), a = options.round_trip();
    const Tensor e = at::polar(torch::ones_like(at_phase), at_phase);
    return (r - a * e) / (1 - r * a * e);
  }
};
TORCH_MODULE(RingRow);

/// Stages in a simulated laboratory of their own, with a white box for each.
PhysicalNetwork in_laboratory(const std::vector<std::shared_ptr<Stage>>& stages, int64_t seed) {
  const auto errors = Imperfections().splitter_error(0.1).phase_error(0.1);
  std::vector<std::shared_ptr<BuiltStage>> hardware;
  std::vector<std::shared_ptr<Correction>> corrections;
  for (const auto& stage : stages) {
    hardware.push_back(built(*stage, errors, seed++));
    corrections.push_back(std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(*stage)));
  }
  const auto system = std::make_shared<SimulatedSystem>(hardware, SimulatedSystemOptions().monitors(true));
  PhysicalNetwork network(system, stages, PhysicalNetworkOptions());
  network->set_corrections(corrections);
  return network;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string data = argc > 1 ? argv[1] : "data";
  const ImageBatches train(MNIST(data), ImageBatchesOptions(50).shuffle(true).seed(1));
  const ImageBatches test(MNIST(data, MNIST::Mode::test), ImageBatchesOptions(500));
  torch::manual_seed(1);
  register_part(part_type<RingRowImpl>("RingRow", RingRowOptions(1), /*required=*/1));

  // Light goes through a mesh and the rings, electronics mix what is read, and light goes once more through a
  // mesh of another laboratory.
  auto first = in_laboratory({MziMesh(36).ptr(), RingRow(36).ptr()}, /*seed=*/1);
  auto second = in_laboratory({MziMesh(16).ptr()}, 11);
  Hybrid net(FourierLens(6), first, torch::nn::Linear(36, 16), torch::nn::Tanh(), Modulator(16), second,
             torch::nn::Linear(16, 10));
  std::cout << net << "\n";

  const auto fit = [&](const std::shared_ptr<Rule>& rule, int64_t epochs, double rate) {
    const auto adam =
        std::make_shared<torch::optim::Adam>(net->parameters(), torch::optim::AdamOptions(rate));
    Trainer trainer(net, rule, adam, torch::nn::CrossEntropyLoss(),
                    TrainerOptions().epochs(epochs).schedule(cosine_schedule()).progress(false));
    trainer.fit(train);
    const double accuracy = evaluate(*net, test);  // measures, whatever the rule did
    std::cout << rule->name() << ": test accuracy " << accuracy << " on the hardware\n";
    return accuracy;
  };
  const double direct = fit(std::make_shared<InSilico>(), 4, 1e-2);

  constexpr int64_t epochs = 4;
  const double dual = fit(std::make_shared<DualAdaptive>(DualAdaptiveOptions()
                                                             .rate(5e-3)
                                                             .steps(epochs * train.size())
                                                             .schedule(cosine_schedule())
                                                             .calibration_steps(train.size())),
                          epochs, 2e-3);
  return dual > direct ? 0 : 1;
}
