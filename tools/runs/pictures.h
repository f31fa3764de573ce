#pragma once

// What there is to see of a network, as numbers.

#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/trainers/batch_source.h>

namespace optotorch::tools {

/// theta mod 2 pi [ports, columns] of a mesh, laid out as light meets it: both ports of an MZI bear its
/// value, a port without one bears NaN.
at::Tensor phase_map(const MziMeshImpl& mesh);

/// How often [true class, class of the largest output] comes in epoch 0 of a source, int64 [classes, classes]; the
/// network in eval mode.
at::Tensor confusion_counts(HybridImpl& model, const BatchSource& source, int64_t classes);

}  // namespace optotorch::tools
