#pragma once

#include <optotorch/modules/optics/discrete_readout.h>

namespace optotorch {

/// Weights -1, 0 and 1: two exposures, of the mirrors of 1 and of those of -1, subtracted; 1 where `weight` > 1/2, -1
/// where it is below -1/2. See DiscreteReadout.
class TernaryReadoutImpl : public CloneableLayer<TernaryReadoutImpl, DiscreteReadout> {
 public:
  /// A read-out without noise.
  TernaryReadoutImpl(int64_t in_features, int64_t out_features)
      : TernaryReadoutImpl(DiscreteReadoutOptions(in_features, out_features)) {}
  /// `weight` begins uniform in [-1.5, 1.5). Throws c10::ValueError for options out of their ranges.
  explicit TernaryReadoutImpl(DiscreteReadoutOptions options);

  int64_t least() const override { return -1; }
};

TORCH_MODULE(TernaryReadout);

}  // namespace optotorch
