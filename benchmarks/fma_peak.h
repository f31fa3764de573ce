#pragma once

namespace optotorch::bench {

/// Fused multiply-adds per second (float32 operations: two each) that one core does out of registers, in
/// GFLOP/s: the best of a few short runs with the widest vectors that Highway finds.
double fma_peak_gflops();

}  // namespace optotorch::bench
