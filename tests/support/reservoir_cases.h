#pragma once

// Rows of the table of layers: reservoirs and discrete read-outs.

#include <optotorch/modules/optics/boolean_readout.h>
#include <optotorch/modules/optics/laser_reservoir.h>
#include <optotorch/modules/optics/ternary_readout.h>
#include <support/layer_case.h>

#include <vector>

namespace optotorch::testing {

inline std::vector<LayerCase> reservoir_cases() {
  const auto plan = LaserReservoirOptions(6, 5).threshold(0.1).injection(0.5).saturation(1.5);
  return {{.name = "LaserReservoir",
           .make = optical<LaserReservoirImpl>(plan),
           .takes = Takes::values,
           .sample = {6},
           .of_another_shape = optical<LaserReservoirImpl>(LaserReservoirOptions(7, 5)),
           .binary = true},
          {.name = "LaserReservoirCoupledAndDrifted",
           .make = optical<LaserReservoirImpl>(
               LaserReservoirOptions(plan).coupling(0.8).drift(0.3).hours(2.5).fill(0.2)),
           .takes = Takes::values,
           .sample = {6},
           .of_another_shape = optical<LaserReservoirImpl>(LaserReservoirOptions(6, 4)),
           .binary = true},
          {.name = "BooleanReadout",
           .make = optical<BooleanReadoutImpl>(DiscreteReadoutOptions(5, 4)),
           .takes = Takes::values,
           .sample = {5},
           .of_another_shape = optical<BooleanReadoutImpl>(DiscreteReadoutOptions(5, 3)),
           .affine = true,
           .rounds = true},
          {.name = "TernaryReadout",
           .make = optical<TernaryReadoutImpl>(DiscreteReadoutOptions(5, 4)),
           .takes = Takes::values,
           .sample = {5},
           .of_another_shape = optical<TernaryReadoutImpl>(DiscreteReadoutOptions(6, 4)),
           .affine = true,
           .rounds = true}};
}

}  // namespace optotorch::testing
