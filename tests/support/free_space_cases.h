#pragma once

// Rows of the table of layers: free space.

#include <optotorch/modules/optics/aperture.h>
#include <optotorch/modules/optics/camera.h>
#include <optotorch/modules/optics/correlator4f.h>
#include <optotorch/modules/optics/detector_regions.h>
#include <optotorch/modules/optics/diffractive_layer.h>
#include <optotorch/modules/optics/free_space.h>
#include <optotorch/modules/optics/lens.h>
#include <optotorch/modules/optics/port_array.h>
#include <optotorch/modules/optics/spatial_light_modulator.h>
#include <support/layer_case.h>

#include <string>
#include <utility>
#include <vector>

namespace optotorch::testing {

inline std::vector<LayerCase> free_space_cases() {
  // Two millimetres of space keep most of the light of so small a window.
  const auto hop = [](std::vector<double> wavelengths = {532e-9}) {
    return HopOptions().distance(2e-3).wavelengths(std::move(wavelengths));
  };
  const auto plane = [](const std::string& name, const DiffractiveLayerOptions& options) {
    const auto window = options.window();
    return LayerCase{
        .name = name,
        .make = optical<DiffractiveLayerImpl>(options),
        .sample = {static_cast<int64_t>(options.hop().wavelengths().size()), window[0], window[1]},
        .of_another_shape = optical<DiffractiveLayerImpl>(
            DiffractiveLayerOptions(options).pixels({options.pixels()[0] + 1, options.pixels()[1]})),
        .affine = true};
  };
  const auto correlator = [](const std::string& name, const Correlator4fOptions& options) {
    return LayerCase{
        .name = name,
        .make = optical<Correlator4fImpl>(options),
        .sample = {2, options.window()[0], options.window()[1]},
        .of_another_shape = optical<Correlator4fImpl>(Correlator4fOptions(options).window({3, 4})),
        .affine = true};
  };
  const auto passive = [](const std::string& name, const MakeLayer& make, std::vector<int64_t> sample) {
    return LayerCase{.name = name, .make = make, .sample = std::move(sample), .affine = true};
  };
  return {
      passive("FreeSpace", optical<FreeSpaceImpl>(FreeSpaceOptions({5, 6}).hop(hop())), {1, 5, 6}),
      passive("FreeSpaceOfTwoWavelengthsToASmallerWindow",
              optical<FreeSpaceImpl>(FreeSpaceOptions({4, 5}).hop(hop({532e-9, 633e-9})).output({3, 4})),
              {2, 4, 5}),
      passive("FreeSpaceToAFinerWindow",
              optical<FreeSpaceImpl>(FreeSpaceOptions({4, 5})
                                         .hop(hop({532e-9, 633e-9}).propagation(Propagation::fresnel))
                                         .output({6, 3})
                                         .output_spacing(9e-6)),
              {2, 4, 5}),
      plane("DiffractiveLayer", DiffractiveLayerOptions({5, 6}).hop(hop())),
      plane("DiffractiveLayerOversampledBoth", DiffractiveLayerOptions({3, 4})
                                                   .hop(hop())
                                                   .modulation(Modulation::both)
                                                   .oversampling(2)
                                                   .fill_factor(.8)
                                                   .output({5, 6})),
      plane("DiffractiveLayerOfTwoWavelengths",
            DiffractiveLayerOptions({4, 5}).hop(hop({532e-9, 633e-9})).modulation(Modulation::both)),
      plane("DiffractiveLayerAmplitude",
            DiffractiveLayerOptions({4, 3}).hop(hop()).modulation(Modulation::amplitude)),
      passive("Lens", optical<LensImpl>(LensOptions({5, 6}, 1e-3)), {1, 5, 6}),
      passive(
          "LensOfTwoWavelengthsOffCentre",
          optical<LensImpl>(LensOptions({4, 5}, -2e-3).wavelengths({532e-9, 633e-9}).center({1e-5, -3e-5})),
          {2, 4, 5}),
      passive("Aperture", optical<ApertureImpl>(ApertureOptions({5, 6}, {7e-5, 9e-5})), {2, 5, 6}),
      passive("ApertureRectangle",
              optical<ApertureImpl>(ApertureOptions({5, 6}, {5e-5, 7e-5}).shape(ApertureShape::rectangle)),
              {1, 5, 6}),
      {.name = "SpatialLightModulator",
       .make = optical<SpatialLightModulatorImpl>(SpatialLightModulatorOptions({7, 6})),
       .takes = Takes::values,
       .sample = {1, 3, 2}},
      {.name = "SpatialLightModulatorOfPhases",
       .make = optical<SpatialLightModulatorImpl>(SpatialLightModulatorOptions({5, 4})
                                                      .encoding(Encoding::phase)
                                                      .curve({0.2, -0.1})
                                                      .coupling(0.4)
                                                      .oversampling(2)
                                                      .fill_factor(0.7)),
       .takes = Takes::values,
       .sample = {2, 2, 2}},
      {.name = "SpatialLightModulatorWithoutNorm",
       .make = optical<SpatialLightModulatorImpl>(SpatialLightModulatorOptions({4, 4}).unit_power(false)),
       .takes = Takes::values,
       .sample = {1, 2, 2},
       .affine = true},
      {.name = "PortArray",
       .make = optical<PortArrayImpl>(PortArrayOptions({2, 3}, {7, 9}).side(2)),
       .sample = {6},
       .affine = true},
      {.name = "Camera", .make = optical<CameraImpl>(CameraOptions()), .sample = {2, 3, 4}},
      {.name = "CameraOfARegion",
       .make = optical<CameraImpl>(CameraOptions().region({1, 0, 2, 3}).sum_planes(true)),
       .sample = {2, 3, 4}},
      {.name = "DetectorRegions",
       .make = optical<DetectorRegionsImpl>(DetectorRegionsOptions({6, 7}).classes(4).side(0.34)),
       .takes = Takes::values,
       .sample = {2, 6, 7}},
      {.name = "DetectorRegionsOfPairs",
       .make = optical<DetectorRegionsImpl>(DetectorRegionsOptions({6, 6}).classes(2).pairs(true).side(0.34)),
       .takes = Takes::values,
       .sample = {1, 6, 6}},
      correlator("Correlator4f", {{4, 5}}),
      correlator("Correlator4fPeriodicBoth",
                 Correlator4fOptions({4, 5}).padding(1).modulation(Modulation::both)),
      correlator("Correlator4fAmplitude", Correlator4fOptions({3, 2}).modulation(Modulation::amplitude)),
  };
}

}  // namespace optotorch::testing
