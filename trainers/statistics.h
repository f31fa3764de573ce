#pragma once

#include <optotorch/modules/hybrid.h>
#include <optotorch/trainers/batch_source.h>

#include <functional>

namespace optotorch {

/// Sends every batch of an epoch of `data` through the network in eval mode, once for each Standardise in it, in their
/// order, and gives each the statistics of what reached it. `stopped` is asked before every batch; true ends it, with
/// the rest of the modules as they were. Returns the number of modules that were found. The network's mode is as before
/// when it returns or throws.
int64_t fit_statistics(HybridImpl& model, const BatchSource& data,
                       const std::function<bool()>& stopped = nullptr);

}  // namespace optotorch
