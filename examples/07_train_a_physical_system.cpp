// A network of one's own with a physical system in its middle: two chips whose errors nobody knows, which
// deliver intensities only. Phases that were trained on the error-free model do badly on them; physics-aware
// training takes the forward pass on the chips; dual adaptive training also lets the model learn what the
// chips are.
//
//     example_07 [DATA]      DATA: the folder that holds MNIST/raw; by default "data"

#include <ATen/ATen.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/laboratory/corrections/white_box_correction.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <optotorch/modules/optics/fourier_lens.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/mnist.h>
#include <optotorch/trainers/metrics.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <optotorch/trainers/rules/laboratory/in_silico.h>
#include <optotorch/trainers/rules/laboratory/physics_aware.h>
#include <optotorch/trainers/trainer.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/loss.h>
#include <torch/optim/adam.h>
#include <torch/utils.h>

#include <iostream>

using namespace optotorch;

int main(int argc, char** argv) {
  const std::string data = argc > 1 ? argv[1] : "data";
  const ImageBatches train(MNIST(data), ImageBatchesOptions(50).shuffle(true).seed(1));
  const ImageBatches test(MNIST(data, MNIST::Mode::test), ImageBatchesOptions(500));
  torch::manual_seed(1);

  // The laboratory: two 36-port chips with errors of splitters and phases, a nonlinearity between them,
  // detectors behind both. RemoteSystem::connect("tcp:HOST:PORT") would stand here for real hardware.
  const MziMeshOptions design(36);
  const auto errors = Imperfections().splitter_error(0.1).phase_error(0.1);
  const auto activation = ElectroOpticActivation().ptr();
  const auto system = std::make_shared<SimulatedSystem>(
      std::vector<Chip>{Chip(design.layout(), errors, /*seed=*/1), Chip(design.layout(), errors, 2)},
      SimulatedSystemOptions().activation(activation).monitors(true));

  // The layer that commands it, with the error-free model of the design; an electronic layer reads it out.
  PhysicalNetwork chips(system, PhysicalNetworkOptions(design).meshes(2).activation(activation));
  Hybrid net(FourierLens(6), chips, torch::nn::Linear(36, 10));
  std::cout << net << "\n";

  const auto fit = [&](const std::shared_ptr<Rule>& rule, int64_t epochs, double rate) {
    const auto adam =
        std::make_shared<torch::optim::Adam>(net->parameters(), torch::optim::AdamOptions(rate));
    Trainer trainer(net, rule, adam, torch::nn::CrossEntropyLoss(),
                    TrainerOptions().epochs(epochs).schedule(cosine_schedule()).progress(false));
    const int64_t before = system->measurements();
    trainer.fit(train);
    const int64_t spent = system->measurements() - before;
    const double accuracy = evaluate(*net, test);  // measures, whatever the rule did
    std::cout << rule->name() << ": test accuracy " << accuracy << " on the chips, " << spent
              << " images measured in training\n";
    return accuracy;
  };

  const double direct = fit(std::make_shared<InSilico>(), 5, 1e-2);
  std::vector<torch::Tensor> start;
  for (const auto& parameter : net->parameters()) {
    start.push_back(parameter.detach().clone());
  }

  constexpr int64_t epochs = 5;
  const double aware = fit(std::make_shared<PhysicsAware>(), epochs, 2e-3);

  // Once more from the same phases. A white box knows the kinds of errors, not their values: it learns them
  // from the readings, for an epoch alone and then beside the phases.
  for (size_t i = 0; i < start.size(); ++i) {
    net->parameters()[i].detach().copy_(start[i]);
  }
  std::vector<std::shared_ptr<Correction>> corrections;
  for (int k = 0; k < 2; ++k) {
    corrections.push_back(std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(design.layout())));
  }
  chips->set_corrections(corrections);
  const double dual = fit(std::make_shared<DualAdaptive>(DualAdaptiveOptions()
                                                             .rate(5e-3)
                                                             .steps(epochs * train.size())
                                                             .schedule(cosine_schedule())
                                                             .calibration_steps(train.size())),
                          epochs, 2e-3);
  return dual > aware && aware > direct ? 0 : 1;
}
