// A diffractive network: planes of phases with free space between them, a camera, ten regions of its image. It is
// trained in a computer, then meets planes that stand elsewhere and modulators with curves of their own. A model that
// knows the kinds of such errors learns their values from what the cameras read, and the planes learn by it.
//
//     example_12 [DATA]      DATA: the folder that holds MNIST/raw; by default "data"

#include <ATen/ATen.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/laboratory/corrections/white_box_correction.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/detector_regions.h>
#include <optotorch/modules/optics/diffractive_layer.h>
#include <optotorch/modules/optics/free_space.h>
#include <optotorch/modules/optics/spatial_light_modulator.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/mnist.h>
#include <optotorch/trainers/metrics.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <optotorch/trainers/rules/laboratory/physics_aware.h>
#include <optotorch/trainers/trainer.h>
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

  // 42 x 42 pixels of 17 um, green light, 20 mm between planes: what leaves a pixel covers the next plane.
  const std::vector<int64_t> window{42, 42};
  const auto hop =
      HopOptions().wavelengths({532e-9}).spacing(17e-6).distance(20e-3).propagation(Propagation::fresnel);
  const auto design = DiffractiveLayerOptions(window).hop(hop);
  const std::vector<std::shared_ptr<Stage>> planes{DiffractiveLayer(design).ptr(),
                                                   DiffractiveLayer(design).ptr()};
  const auto fit = [&](Hybrid& net, const std::shared_ptr<Rule>& rule, int64_t epochs, double rate) {
    const auto adam =
        std::make_shared<torch::optim::Adam>(net->parameters(), torch::optim::AdamOptions(rate));
    Trainer trainer(net, rule, adam, torch::nn::CrossEntropyLoss(),
                    TrainerOptions().epochs(epochs).schedule(cosine_schedule()).progress(false));
    trainer.fit(train);
    return evaluate(*net, test);
  };

  // In a computer: the same planes, one after the other.
  Hybrid ideal(SpatialLightModulator(window), FreeSpace(FreeSpaceOptions(window).hop(hop)));
  for (const auto& plane : planes) {
    ideal->push_back(plane);
  }
  ideal->push_back(Photodetector());
  ideal->push_back(DetectorRegions(window));
  std::cout << ideal << "\n";
  const double in_silico = fit(ideal, std::make_shared<BackPropagation>(), 3, 0.1);
  export_torchscript(ideal, train.batch(0, 0).data.narrow(0, 0, 2), "diffractive.pt");
  std::cout << "in a computer: test accuracy " << in_silico << "; without OptoTorch: diffractive.pt\n";

  // In the laboratory: a camera behind every plane. RemoteSystem::connect would stand here for real hardware.
  const auto errors = Imperfections().offset_error(.25).distance_error(.02).gain_error(.05).phase_error(.2);
  std::vector<std::shared_ptr<BuiltStage>> hardware;
  std::vector<std::shared_ptr<Correction>> corrections;
  for (const auto& plane : planes) {
    hardware.push_back(built(*plane, errors, /*seed=*/static_cast<int64_t>(hardware.size())));
    corrections.push_back(std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(*plane)));
  }
  const auto system = std::make_shared<SimulatedSystem>(hardware, SimulatedSystemOptions().monitors(true));
  PhysicalNetwork measured(system, planes, PhysicalNetworkOptions().detection(Detection::intensity));
  Hybrid net(SpatialLightModulator(window), FreeSpace(FreeSpaceOptions(window).hop(hop)), measured,
             DetectorRegions(window));
  const double direct = evaluate(*net, test);
  std::cout << "in the laboratory, as they are: " << direct << "\n";
  std::vector<torch::Tensor> start;
  for (const auto& parameter : net->parameters()) {
    start.push_back(parameter.detach().clone());
  }
  const double aware = fit(net, std::make_shared<PhysicsAware>(), 1, 1e-2);
  std::cout << "physics-aware training: " << aware << "\n";

  for (size_t i = 0; i < start.size(); ++i) {
    net->parameters()[i].detach().copy_(start[i]);
  }
  measured->set_corrections(corrections);
  const auto dual_options = DualAdaptiveOptions()
                                .compared(Compared::amplitudes)
                                .rate(.03)
                                .steps(2 * train.size())
                                .schedule(cosine_schedule())
                                .calibration_steps(train.size());
  const double dual = fit(net, std::make_shared<DualAdaptive>(dual_options), 2, 1e-2);
  std::cout << "dual adaptive training: " << dual << ", " << system->measurements()
            << " images measured in all\n";
  return in_silico > .8 && dual > direct && aware > direct ? 0 : 1;
}
