#pragma once

#include <optotorch/modules/optics/discrete_readout.h>

namespace optotorch {

/// Weights 0 and 1: the mirrors of one exposure; 1 where `weight` > 1/2. See DiscreteReadout.
class BooleanReadoutImpl : public CloneableLayer<BooleanReadoutImpl, DiscreteReadout> {
 public:
  BooleanReadoutImpl(int64_t in_features, int64_t out_features)
      : BooleanReadoutImpl(DiscreteReadoutOptions(in_features, out_features)) {}
  explicit BooleanReadoutImpl(DiscreteReadoutOptions options);

  int64_t least() const override { return 0; }
};

TORCH_MODULE(BooleanReadout);

}  // namespace optotorch
