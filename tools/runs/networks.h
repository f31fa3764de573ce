#pragma once

// The networks of the presets; for images [batch, 1, 28, 28], drawn by LibTorch's generator. Every read-out
// starts at zero: the first steps then depend on the optics, not on a random read-out.

#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/laboratory/physical_network.h>

namespace optotorch::tools {

/// Lens (the 10 x 10 lowest frequencies), 100-port mesh, amplitude detectors, linear read-out.
Hybrid mnist_hybrid(int64_t classes);

/// The same with the mesh and its detectors in the laboratory: a simulated chip with splitter and phase
/// errors of .04, another one for every state of the generator. It cannot be exported.
Hybrid mnist_in_situ(int64_t classes);

/// The network of arXiv 2212.06141: lens (the 8 x 8 lowest frequencies), three 64-port meshes with
/// electro-optic activations between, intensities of the first `classes` ports, I_k / || I ||_2, as scores.
Hybrid mpnn(int64_t classes);
/// The same with the meshes and activations in the laboratory. Without `monitors` the readings behind the first
/// two meshes stay unused.
Hybrid mpnn_in_situ(int64_t classes, std::shared_ptr<PhysicalSystem> system, bool monitors, Fusion fusion);
/// The design of its meshes.
MziMeshOptions mpnn_mesh();
constexpr int64_t mpnn_meshes = 3;

/// 784-256 bank of microring weights, tanh, linear read-out.
Hybrid mnist_weight_bank(int64_t classes);

/// 784-1024 and 1024-classes banks of microring weights, relu between.
Hybrid mnist_wide_bank(int64_t classes);

/// Normalised pixels, 784-1024-1024-classes, tanh: the network that arXiv 2006.01475 trains by an optical
/// processing unit.
Hybrid mnist_mlp(int64_t classes);

/// A vision transformer: patches of 7 x 7, width 64, four blocks of 4 heads, the mean of the tokens, linear
/// read-out. The embedding belongs to the first block.
Hybrid vit(int64_t classes);

/// A transformer of characters: context 128, width 128, four causal blocks of 4 heads, linear read-out. The
/// embedding belongs to the first block.
Hybrid charlm(int64_t characters);
/// The same with taps inside the blocks.
Hybrid charlm_micro(int64_t characters);
constexpr int64_t charlm_context = 128;

/// One 784-port mesh of 306,936 MZIs on all pixels, amplitude detectors, linear read-out.
Hybrid mnist_mesh784(int64_t classes);

/// The slice network of arXiv 2408.08337: every column of the image has its own linear maps 28->28 and 28->1,
/// relu behind each, and a linear read-out of the 28 results. Electronic.
Hybrid slices_electronic(int64_t classes);
/// The same with a 28-port mesh and amplitude detectors for either map; of the second mesh one port is read.
Hybrid slices_columns(int64_t classes);
/// The same on columns and rows: 56 slices.
Hybrid slices_columns_rows(int64_t classes);
/// One mesh a slice, columns and rows, all 28 detectors of each into the read-out.
Hybrid slices_direct(int64_t classes);
/// 28 column meshes, 28 row meshes, and 49-port meshes that the 64 patches of 7 x 7 pixels share; all
/// detectors into the read-out.
Hybrid slices_patches(int64_t classes);

}  // namespace optotorch::tools
