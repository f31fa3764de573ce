#pragma once

// The ways to train the network of arXiv 2212.06141 on a chip, as systems of a comparison.

#include <optional>
#include <string>
#include <vector>

#include "recipes/dat_published.h"
#include "reproduce/compare.h"

namespace optotorch::tools {

/// A way to train on the chip.
struct DatMethod {
  const char *name, *title, *rule;
  bool corrected;                                   ///< by the correction that is asked for
  int64_t calibration;                              ///< epochs
  int64_t epochs;                                   ///< calibration included
  std::optional<Published> small = {}, large = {};  ///< what was published, for the 4k and the 10k U-Net
};

/// direct, pat, pat-output, at, no-is, unitary, separable, identify, oracle.
const std::vector<DatMethod>& dat_methods();

/// Throws c10::ValueError that names the nearest method.
const DatMethod& find_dat_method(const std::string& name);

/// The meshes of that network.
MeshLayout mpnn_layout();
inline constexpr int64_t mpnn_meshes = 3;

/// Data, chip and start of a training.
struct DatSetting {
  std::string dataset = "mnist";
  Laboratory chip = {};
  std::string start = {};  ///< a run, or a folder of .npy phases; empty: Haar-random phases
  bool faithful = false;   ///< the published batch, schedule and comparison
};

/// The network by itself, trained in silico, with seed 0 alone.
System dat_in_silico(const std::string& dataset);

/// A method on chips: with errors from a folder those of seed 0, others are drawn.
System dat_system(const DatSetting& setting, const DatMethod& method, const std::string& correction);

/// Slower phases and a faster white box than usual: rates that hold where the usual ones lose the system, up
/// to errors of .15 and with phase levels (docs/reproduce.md). A linear map has such rates anyway.
void follow_closely(System& system);

/// Test accuracy of the phases in `start` on the chips of seeds 0, 1, ..., nothing adapted.
RecipeRow dat_direct(const DatSetting& setting, const RecipeOptions& options);

}  // namespace optotorch::tools
