#pragma once

#include <optotorch/modules/optics/discrete_readout.h>

namespace optotorch {

/// Weights 0 and 1: the mirrors of one exposure; 1 where `weight` > 1/2. See DiscreteReadout.
class BooleanReadoutImpl : public CloneableLayer<BooleanReadoutImpl, DiscreteReadout> {
 public:
  /// A read-out without noise.
  BooleanReadoutImpl(int64_t in_features, int64_t out_features)
      : BooleanReadoutImpl(DiscreteReadoutOptions(in_features, out_features)) {}
  /// `weight` begins uniform in [0, 1). Throws c10::ValueError for options out of their ranges.
  explicit BooleanReadoutImpl(DiscreteReadoutOptions options);

  int64_t least() const override { return 0; }
};

TORCH_MODULE(BooleanReadout);

}  // namespace optotorch
