#pragma once

// Rows of the table of layers: waveforms and their spectra.

#include <optotorch/modules/optics/digitizer.h>
#include <optotorch/modules/optics/patch_stream.h>
#include <optotorch/modules/optics/spectral_filter_bank.h>
#include <support/layer_case.h>

#include <string>
#include <utility>
#include <vector>

namespace optotorch::testing {

inline std::vector<LayerCase> spectral_cases() {
  const auto bank = [](const std::string& name, const SpectralFilterBankOptions& options) {
    return LayerCase{.name = name,
                     .make = optical<SpectralFilterBankImpl>(options),
                     .sample = {options.symbols()},
                     .of_another_shape = optical<SpectralFilterBankImpl>(
                         SpectralFilterBankOptions(options).filters(options.filters() + 1))};
  };
  const auto stream = [](const std::string& name, const PatchStreamOptions& options) {
    return LayerCase{.name = name,
                     .make = optical<PatchStreamImpl>(options),
                     .takes = Takes::values,
                     .sample = options.image(),
                     .affine = true};
  };
  using Bank = SpectralFilterBankOptions;
  return {
      stream("PatchStream", PatchStreamOptions({1, 5, 4}).size(3)),
      stream("PatchStreamRasterOfChannels",
             PatchStreamOptions({2, 4, 5}).size(2).stride(1).padding(0).order(StreamOrder::raster).power(2)),
      bank("SpectralFilterBank", Bank(18, 3).window(4).width(0.1).bandwidth(0.1)),
      bank("SpectralFilterBankOfRings", Bank(15, 2)
                                            .kind(FilterKind::ring)
                                            .delay(2)
                                            .loss_db(0.1)
                                            .width(0.2)
                                            .order(2)
                                            .window(5)
                                            .bandwidth(0)),
      bank("SpectralFilterBankOfInterferometers",
           Bank(12, 2).kind(FilterKind::interferometer).delay(3).window(6).bandwidth(0)),
      {.name = "Digitizer",
       .make = optical<DigitizerImpl>(DigitizerOptions()),
       .takes = Takes::values,
       .sample = {2, 3},
       .affine = true},
  };
}

}  // namespace optotorch::testing
