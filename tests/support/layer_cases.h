#pragma once

// Every layer once or more: one row each. A new layer is one row here, and is then tested by itself
// (modules/layer_contract_test.cpp) and under every rule (trainers/rule_layer_table_test.cpp).

#include <ATen/ATen.h>
#include <optotorch/modules/electronic_block.h>
#include <optotorch/modules/electronics/standardise.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/block_diagonal.h>
#include <optotorch/modules/optics/convolution.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <optotorch/modules/optics/fourier_lens.h>
#include <optotorch/modules/optics/image_slices.h>
#include <optotorch/modules/optics/kerr_activation.h>
#include <optotorch/modules/optics/mod_relu.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_linear.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/phase_screen.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/modules/optics/saturable_absorber.h>
#include <optotorch/modules/optics/weight_bank.h>
#include <optotorch/modules/transformer/transformer_block.h>
#include <support/free_space_cases.h>
#include <support/layer_case.h>
#include <support/reservoir_cases.h>
#include <support/spectral_cases.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/pooling.h>

#include <memory>
#include <string>
#include <vector>

namespace optotorch::testing {
/// A mesh with errors of splitters and loss.
inline MakeLayer imperfect_mesh(const MziMeshOptions& options) {
  return [options] {
    const auto mesh = std::make_shared<MziMeshImpl>(MziMeshOptions(options).imperfect(true));
    mesh->splitter_error.uniform_(-0.3, 0.3);
    mesh->transmission.uniform_(0.6, 1);
    return std::static_pointer_cast<Layer>(mesh);
  };
}

/// Perfect chips: the numerical model is then the truth, and the pull-back the derivative.
inline MakeLayer physical_network(const PhysicalNetworkOptions& options) {
  return [options] {
    const Chip chip(options.mesh().layout(), Imperfections(), 1);
    const auto system = std::make_shared<SimulatedSystem>(
        std::vector<Chip>(static_cast<size_t>(options.meshes()), chip),
        SimulatedSystemOptions().activation(options.activation()).monitors(true));
    return std::static_pointer_cast<Layer>(std::make_shared<PhysicalNetworkImpl>(system, options));
  };
}

/// Side by side: what `makers` make, with the shapes of their samples.
inline MakeLayer diagonal(const std::vector<std::pair<MakeLayer, std::vector<int64_t>>>& makers) {
  return [makers] {
    std::vector<DiagonalBlock> blocks;
    for (const auto& [make, sample] : makers) {
      blocks.push_back({make(), sample});
    }
    return std::static_pointer_cast<Layer>(std::make_shared<BlockDiagonalImpl>(std::move(blocks)));
  };
}

template <typename Holder, typename Options>
MakeLayer electronic(Options options) {
  return [options] {
    return std::static_pointer_cast<Layer>(
        std::make_shared<ElectronicBlock>(torch::nn::AnyModule(Holder(options))));
  };
}

/// What `make` makes, on every patch of an image.
inline MakeLayer convolution(const MakeLayer& make, int64_t kernel_size, int64_t padding = 0) {
  return [make, kernel_size, padding] {
    return std::static_pointer_cast<Layer>(
        std::make_shared<ConvolutionImpl>(ConvolutionOptions(make(), kernel_size).padding(padding)));
  };
}

inline std::vector<LayerCase> layer_cases() {
  using Mesh = MziMeshImpl;
  const auto mesh = [](const std::string& name, const MziMeshOptions& options) {
    return LayerCase{.name = name,
                     .make = optical<Mesh>(options),
                     .sample = {options.ports()},
                     .of_another_shape = optical<Mesh>(MziMeshOptions(options.ports() + 2)),
                     .affine = true};
  };
  // Several meshes, or one whose batch has two dimensions.
  const auto meshes = [](const std::string& name, const MakeLayer& make, std::vector<int64_t> sample) {
    return LayerCase{.name = name,
                     .make = make,
                     .sample = sample,
                     .of_another_shape = optical<Mesh>(MziMeshOptions(sample.back()).meshes(4)),
                     .affine = true};
  };
  const auto linear = [](const std::string& name, const MziLinearOptions& options) {
    return LayerCase{.name = name,
                     .make = optical<MziLinearImpl>(options),
                     .sample = {options.in_ports()},
                     .of_another_shape = optical<MziLinearImpl>(
                         MziLinearOptions(options.in_ports() + 3, options.out_ports() + 3)),
                     .affine = true};
  };
  const auto bank = [](const std::string& name, const WeightBankOptions& options) {
    return LayerCase{.name = name,
                     .make = optical<WeightBankImpl>(options),
                     .takes = Takes::values,
                     .sample = {options.in_features()},
                     .of_another_shape = optical<WeightBankImpl>(
                         WeightBankOptions(options.out_features(), options.in_features() + 1)),
                     .affine = true,
                     .rounds = options.bits() > 0};
  };
  const auto source = [](const std::string& name, std::vector<int64_t> sample, Encoding encoding) {
    return LayerCase{.name = name,
                     .make = optical<ModulatorImpl>(ModulatorOptions(4).encoding(encoding)),
                     .takes = Takes::values,
                     .sample = std::move(sample),
                     .affine = encoding != Encoding::phase};
  };
  const auto detector = [](const std::string& name, Detection detection) {
    return LayerCase{.name = name,
                     .make = optical<PhotodetectorImpl>(PhotodetectorOptions().detection(detection)),
                     .sample = {6},
                     .affine = detection == Detection::coherent};
  };
  const auto physical = [](const std::string& name, const PhysicalNetworkOptions& options) {
    return LayerCase{.name = name,
                     .make = physical_network(options),
                     .sample = {options.mesh().ports()},
                     .of_another_shape = physical_network(PhysicalNetworkOptions(options.mesh().ports() + 2)),
                     .meshes = options.meshes(),
                     .measures = true};
  };
  const auto side_by_side = [](const std::string& name, const MakeLayer& make, int64_t values,
                               const MakeLayer& of_another_shape, Takes takes = Takes::field) {
    return LayerCase{.name = name,
                     .make = make,
                     .takes = takes,
                     .sample = {values},
                     .of_another_shape = of_another_shape,
                     .affine = true};
  };
  const auto slices = [](const std::string& name, bool normalized) {
    return LayerCase{.name = name,
                     .make = optical<ImageSlicesImpl>(
                         ImageSlicesOptions(3, 4)
                             .sets({SliceSet::columns(), SliceSet::rows(), SliceSet::patches(2, 1, 2)})
                             .normalized(normalized)),
                     .takes = Takes::values,
                     .sample = {1, 3, 4},
                     .affine = !normalized};
  };
  const auto transformer = [](const std::string& name, const TransformerBlockOptions& options) {
    const auto wider = TransformerBlockOptions(options).width(options.width() + options.heads());
    return LayerCase{.name = name,
                     .make = electronic<TransformerBlock>(options),
                     .takes = Takes::values,
                     .sample = {3, options.width()},
                     .of_another_shape = electronic<TransformerBlock>(wider)};
  };
  const auto stack = [](int64_t ports, int64_t count) {
    return optical<Mesh>(MziMeshOptions(ports).meshes(count));
  };
  const auto weights = [](int64_t in, int64_t out) {
    return optical<WeightBankImpl>(WeightBankOptions(in, out));
  };
  auto imperfect_row = mesh("ImperfectMesh", 5);
  imperfect_row.make = imperfect_mesh(MziMeshOptions(5).idle_port(IdlePort::bar));
  auto imperfect_triangle = mesh("ImperfectTriangularMeshPhiInput", 4);
  imperfect_triangle.make =
      imperfect_mesh(MziMeshOptions(4).grid(MeshGrid::triangular).phi_arm(PhiArm::input));
  std::vector<LayerCase> all = {
      mesh("Mesh", 6),
      mesh("MeshTwoPorts", 2),
      mesh("MeshOddPorts", 5),
      mesh("MeshPhiInput", MziMeshOptions(4).phi_arm(PhiArm::input)),
      mesh("MeshPhiInputOddBarZeroBarIdle",
           MziMeshOptions(5).phi_arm(PhiArm::input).zero_state(ZeroState::bar).idle_port(IdlePort::bar)),
      mesh("MeshBarIdle", MziMeshOptions(6).idle_port(IdlePort::bar)),
      mesh("MeshShallowWithoutScreen", MziMeshOptions(6).columns(3).screen(false)),
      mesh("MeshDeep", MziMeshOptions(3).columns(9)),
      mesh("MeshTriangular", MziMeshOptions(5).grid(MeshGrid::triangular)),
      mesh("MeshTriangularBarZero", MziMeshOptions(4).grid(MeshGrid::triangular).zero_state(ZeroState::bar)),
      meshes("MeshOfTwoBatchDimensions", optical<Mesh>(MziMeshOptions(4)), {3, 4}),
      meshes("Meshes", optical<Mesh>(MziMeshOptions(5).meshes(3)), {3, 5}),
      meshes("MeshesPhiInputWithoutScreen",
             optical<Mesh>(MziMeshOptions(4).meshes(2).columns(3).phi_arm(PhiArm::input).screen(false)),
             {2, 4}),
      meshes("ImperfectMeshesOfTwoBatchDimensions",
             imperfect_mesh(MziMeshOptions(3).meshes(2).grid(MeshGrid::triangular)), {2, 2, 3}),
      imperfect_row,
      imperfect_triangle,
      physical("PhysicalNetwork", 5),
      physical("PhysicalNetworkIntensityPhiInputWithoutScreen",
               PhysicalNetworkOptions(MziMeshOptions(4).columns(3).phi_arm(PhiArm::input).screen(false))
                   .detection(Detection::intensity)),
      physical("PhysicalNetworkOfThreeMeshes", PhysicalNetworkOptions(4)
                                                   .meshes(3)
                                                   .activation(std::make_shared<ElectroOpticActivationImpl>(
                                                       ElectroOpticActivationOptions().gain(1.3).bias(0.7)))
                                                   .detection(Detection::intensity)),
      linear("MziLinearWide", {2, 5}),
      linear("MziLinearTall", {5, 3}),
      linear("MziLinearOneIn", {1, 4}),
      linear("MziLinearOneOut", {4, 1}),
      linear("MziLinearTriangular", MziLinearOptions(3, 3).grid(MeshGrid::triangular).phi_arm(PhiArm::input)),
      bank("WeightBank", {5, 4}),
      bank("WeightBankWithoutBias", WeightBankOptions(5, 4).bias(false).gain(2.5)),
      bank("WeightBankFourBits", WeightBankOptions(5, 4).bits(4).gain(1.5)),
      side_by_side("BlockDiagonal", diagonal({{stack(3, 2), {2, 3}}, {stack(2, 3), {3, 2}}}), 12,
                   diagonal({{stack(3, 2), {2, 3}}, {stack(3, 2), {2, 3}}})),
      side_by_side("BlockDiagonalSharedByPatches",
                   diagonal({{stack(4, 1), {3, 4}}, {optical<MziLinearImpl>(MziLinearOptions(2, 3)), {2}}}),
                   14, diagonal({{stack(3, 1), {4, 3}}, {stack(2, 1), {2}}})),
      side_by_side("BlockDiagonalOfWeightBanks", diagonal({{weights(3, 2), {3}}, {weights(2, 4), {2}}}), 5,
                   diagonal({{weights(3, 2), {3}}, {weights(2, 3), {2}}}), Takes::values),
      {.name = "ConvolutionOfAWeightBank",
       .make = convolution(weights(8, 3), 2, 1),
       .takes = Takes::values,
       .sample = {2, 3, 2},
       .of_another_shape = convolution(weights(8, 2), 2, 1),
       .affine = true},
      {.name = "ConvolutionOfAMesh",
       .make = convolution(stack(8, 1), 2),
       .sample = {2, 3, 4},
       .of_another_shape = convolution(stack(9, 1), 3),
       .affine = true},
      {.name = "ConvolutionDepthwise",
       .make = convolution(diagonal({{weights(4, 2), {4}}, {weights(4, 1), {4}}}), 2),
       .takes = Takes::values,
       .sample = {2, 3, 3},
       .of_another_shape = convolution(diagonal({{weights(4, 2), {4}}, {weights(4, 2), {4}}}), 2),
       .affine = true},
      {.name = "PhaseScreen",
       .make = optical<PhaseScreenImpl>(PhaseScreenOptions(5)),
       .sample = {5},
       .of_another_shape = optical<PhaseScreenImpl>(PhaseScreenOptions(6)),
       .affine = true},
      {.name = "PhaseScreenOfPlanes",
       .make = optical<PhaseScreenImpl>(PhaseScreenOptions({2, 3, 4})),
       .sample = {2, 3, 4},
       .of_another_shape = optical<PhaseScreenImpl>(PhaseScreenOptions({2, 4, 3})),
       .affine = true},
      slices("ImageSlices", true),
      slices("ImageSlicesAsTheyAre", false),
      source("ModulatorAmplitude", {3}, Encoding::amplitude),
      source("ModulatorPhase", {3}, Encoding::phase),
      source("ModulatorComplex", {8}, Encoding::complex),
      {.name = "ModulatorOfImages",
       .make = optical<ModulatorImpl>(ModulatorOptions(18).encoding(Encoding::phase)),
       .takes = Takes::values,
       .sample = {1, 4, 4}},
      {.name = "FourierLens",
       .make = optical<FourierLensImpl>(FourierLensOptions(3)),
       .takes = Takes::values,
       .sample = {1, 6, 5}},
      {.name = "FourierLensWhole",
       .make = optical<FourierLensImpl>(FourierLensOptions(4)),
       .takes = Takes::values,
       .sample = {1, 4, 4}},
      detector("PhotodetectorIntensity", Detection::intensity),
      detector("PhotodetectorAmplitude", Detection::amplitude),
      detector("PhotodetectorBalanced", Detection::balanced),
      detector("PhotodetectorCoherent", Detection::coherent),
      {.name = "ElectroOpticActivation",
       .make = optical<ElectroOpticActivationImpl>(ElectroOpticActivationOptions().gain(1.3).bias(0.7)),
       .sample = {5}},
      {.name = "SaturableAbsorber",
       .make = optical<SaturableAbsorberImpl>(SaturableAbsorberOptions().saturation(0.7)),
       .sample = {5}},
      {.name = "KerrActivation",
       .make = optical<KerrActivationImpl>(KerrActivationOptions().gamma(-0.6)),
       .sample = {5}},
      {.name = "KerrActivationOfPlanes",
       .make = optical<KerrActivationImpl>(KerrActivationOptions()),
       .sample = {2, 3, 2}},
      {.name = "ModRelu",
       .make = optical<ModReluImpl>(ModReluOptions(5).bias(-0.3)),
       .sample = {5},
       .of_another_shape = optical<ModReluImpl>(ModReluOptions(6))},
      {.name = "ModReluOfPlanes",
       .make = optical<ModReluImpl>(ModReluOptions({2, 3}).bias(-0.3)),
       .sample = {2, 3},
       .of_another_shape = optical<ModReluImpl>(ModReluOptions({3, 2}))},
      {.name = "PhotodetectorOfPlanes",
       .make = optical<PhotodetectorImpl>(PhotodetectorOptions().detection(Detection::amplitude)),
       .sample = {2, 3, 2}},
      {.name = "PhotodetectorOfPairsInPlanes",
       .make = optical<PhotodetectorImpl>(PhotodetectorOptions().detection(Detection::balanced)),
       .sample = {2, 3, 4}},
      {.name = "PhotodetectorOfQuadraturesInPlanes",
       .make = optical<PhotodetectorImpl>(PhotodetectorOptions().detection(Detection::coherent)),
       .sample = {2, 3, 2},
       .affine = true},
      {.name = "Linear",
       .make = electronic<torch::nn::Linear>(torch::nn::LinearOptions(5, 4)),
       .takes = Takes::values,
       .sample = {5},
       .of_another_shape = electronic<torch::nn::Linear>(torch::nn::LinearOptions(6, 4)),
       .affine = true},
      {.name = "Conv2d",
       .make = electronic<torch::nn::Conv2d>(torch::nn::Conv2dOptions(2, 3, 3).stride(2)),
       .takes = Takes::values,
       .sample = {2, 5, 5},
       .of_another_shape = electronic<torch::nn::Conv2d>(torch::nn::Conv2dOptions(2, 4, 3)),
       .affine = true},
      {.name = "ReLU",
       .make = electronic<torch::nn::ReLU>(torch::nn::ReLUOptions()),
       .takes = Takes::values,
       .sample = {5}},
      {.name = "Flatten",
       .make = electronic<torch::nn::Flatten>(torch::nn::FlattenOptions()),
       .takes = Takes::values,
       .sample = {2, 3, 2},
       .affine = true},
      {.name = "MaxPool2d",
       .make = electronic<torch::nn::MaxPool2d>(torch::nn::MaxPool2dOptions(2)),
       .takes = Takes::values,
       .sample = {2, 4, 4}},
      {.name = "BatchNorm1d",
       .make = electronic<torch::nn::BatchNorm1d>(torch::nn::BatchNorm1dOptions(5)),
       .takes = Takes::values,
       .sample = {5},
       .of_another_shape = electronic<torch::nn::BatchNorm1d>(torch::nn::BatchNorm1dOptions(6)),
       .mixes_samples = true},
      {.name = "Standardise",
       .make = electronic<Standardise>(StandardiseOptions({2, 3})),
       .takes = Takes::values,
       .sample = {2, 3},
       .of_another_shape = electronic<Standardise>(StandardiseOptions({3, 2})),
       .affine = true},
      transformer("TransformerBlock", TransformerBlockOptions(4, 2).causal(true).taps(Taps::micro)),
      transformer("TransformerBlockOfWeightBanks",
                  TransformerBlockOptions(4, 2).hidden(5).maps(Maps::weight_bank)),
      transformer("TransformerBlockOfMeshesPreNorm",
                  TransformerBlockOptions(4, 1).hidden(3).maps(Maps::mzi_linear).norm(Norm::pre)),
  };
  for (const auto& more : {free_space_cases(), spectral_cases(), reservoir_cases()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

}  // namespace optotorch::testing
