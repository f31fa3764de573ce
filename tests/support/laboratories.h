#pragma once

// Small laboratories: three meshes of six ports with errors, and what tests ask of a rule that teaches in
// one.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/laboratory/corrections/white_box_correction.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <support/parameters.h>
#include <support/stages.h>
#include <torch/nn/functional/loss.h>

#include <memory>
#include <string>
#include <vector>

namespace optotorch::testing::laboratories {

using Tensors = Parameters;
using testing::expect_equal;

inline constexpr int64_t ports = 6, batch = 5, classes = 4;
inline constexpr size_t meshes = 3;

inline Imperfections errors() {
  return Imperfections().splitter_error(0.1).phase_error(0.2);
}

inline ElectroOpticActivationOptions electro_optics() {
  return ElectroOpticActivationOptions().gain(1.3).bias(0.7);
}

inline std::shared_ptr<ElectroOpticActivationImpl> activation() {
  return std::make_shared<ElectroOpticActivationImpl>(electro_optics());
}

inline std::vector<Chip> chips(const MziMeshOptions& mesh = ports,
                               const Imperfections& imperfections = errors()) {
  std::vector<Chip> all;
  for (size_t n = 0; n < meshes; ++n) {
    all.emplace_back(mesh.layout(), imperfections, static_cast<int64_t>(n) + 1);
  }
  return all;
}

inline std::shared_ptr<SimulatedSystem> simulated(bool monitors = true, const MziMeshOptions& mesh = ports,
                                                  const Imperfections& imperfections = errors()) {
  return std::make_shared<SimulatedSystem>(
      chips(mesh, imperfections), SimulatedSystemOptions().activation(activation()).monitors(monitors));
}

/// Options of a network for `simulated(monitors, mesh)`.
inline PhysicalNetworkOptions three(const MziMeshOptions& mesh = ports) {
  return PhysicalNetworkOptions(mesh).meshes(static_cast<int64_t>(meshes)).activation(activation());
}

inline PhysicalNetwork network_of(const std::shared_ptr<PhysicalSystem>& system,
                                  const PhysicalNetworkOptions& options) {
  PhysicalNetwork network(system, options);
  network->to(torch::kFloat64);
  return network;
}

/// A network whose output are intensities.
inline PhysicalNetwork network_of(const std::shared_ptr<PhysicalSystem>& system,
                                  Fusion fusion = Fusion::propagate, bool internal_states = true) {
  return network_of(system, three(ports_of(*system))
                                .detection(Detection::intensity)
                                .fusion(fusion)
                                .internal_states(internal_states));
}

inline std::vector<std::shared_ptr<WhiteBoxCorrection>> correct(PhysicalNetworkImpl& network) {
  std::vector<std::shared_ptr<WhiteBoxCorrection>> all;
  for (const auto& mesh : meshes_of(network)) {
    all.push_back(std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(mesh->layout())));
    all.back()->to(torch::kFloat64);
  }
  network.set_corrections({all.begin(), all.end()});
  return all;
}

/// Corrections that know the errors of `chips()`.
inline void correct_exactly(PhysicalNetworkImpl& network) {
  const torch::NoGradGuard no_grad;
  const auto corrections = correct(network);
  const auto known = chips(ports_of(*network.system()));
  for (size_t n = 0; n < meshes; ++n) {
    corrections[n]->error("theta_offset").copy_(known[n].tensors().theta_offset);
    corrections[n]->error("phi_offset").copy_(known[n].tensors().phi_offset);
    corrections[n]->error("splitter_error").copy_(known[n].tensors().splitter_error);
  }
}

/// The optics of a network as layers of their own: of the error-free meshes, or of the chips with their
/// errors.
inline Hybrid layers_of(const PhysicalNetworkImpl& network, bool with_errors) {
  const torch::NoGradGuard no_grad;
  const auto known = chips(ports_of(*network.system()));
  Hybrid net;
  for (size_t n = 0; n < meshes; ++n) {
    const auto from = meshes_of(network)[n];
    MziMesh mesh(MziMeshOptions(from->options).imperfect(with_errors));
    mesh->to(torch::kFloat64);
    mesh->theta.copy_(from->theta);
    mesh->phi.copy_(from->phi);
    mesh->gamma.copy_(from->gamma);
    if (with_errors) {
      mesh->theta.add_(known[n].tensors().theta_offset);
      mesh->phi.add_(known[n].tensors().phi_offset);
      mesh->splitter_error.copy_(known[n].tensors().splitter_error);
    }
    net->push_back(mesh);
    if (n + 1 < meshes) {
      net->push_back(ElectroOpticActivation(activation()));
    }
  }
  net->push_back(Photodetector(PhotodetectorOptions().detection(Detection::intensity)));
  return net;
}

inline torch::Tensor fields(int64_t samples = batch, int64_t of_ports = ports) {
  return torch::randn({samples, of_ports}, torch::kComplexDouble);
}

inline torch::Tensor targets(int64_t samples = batch) {
  return torch::randint(classes, {samples});
}

/// The first ports of I / ||I||_2 are the logits.
inline torch::Tensor cross_entropy(const torch::Tensor& intensity, const torch::Tensor& target) {
  const auto unit = intensity / intensity.square().sum(1, /*keepdim=*/true).sqrt();
  return torch::nn::functional::cross_entropy(unit.narrow(1, 0, classes), target);
}

inline Tensors parameters_by_name(const torch::nn::Module& module) {
  Tensors all;
  for (const auto& item : module.named_parameters()) {
    all[item.key()] = item.value().detach().clone();
  }
  return all;
}

inline std::vector<torch::Tensor> gradients(const torch::nn::Module& module) {
  std::vector<torch::Tensor> all;
  for (const auto& parameter : module.parameters()) {
    all.push_back(parameter.grad().defined() ? parameter.grad().clone() : torch::Tensor());
  }
  return all;
}

}  // namespace optotorch::testing::laboratories
