#pragma once

#include <optotorch/modules/projectors/projector.h>

namespace optotorch {

/// Three rounds of signs and Walsh-Hadamard transforms (ops::hadamard_projection): n log n steps instead of
/// n^2, entries that are close to normal but not independent.
class HadamardProjector : public Projector {
 public:
  /// Throws c10::ValueError for more than 2^30 columns.
  HadamardProjector(int64_t rows, int64_t columns, int64_t seed);

  std::string name() const override { return "HadamardProjector"; }

 protected:
  torch::Tensor compute(const torch::Tensor& x, int64_t first_row, int64_t rows) override;

 private:
  int64_t seed_;
};

}  // namespace optotorch
