#pragma once

#include <optotorch/modules/projectors/projector.h>
#include <optotorch/ops/random_projection.h>

namespace optotorch {

/// A matrix that is never stored: entries are made while they are multiplied (ops::random_projection), the
/// same ones for any slice, batch and number of threads. With complex entries T it is the real part that a
/// quadrature of the field delivers, sqrt(2) Re(T x).
class StreamedProjector : public Projector {
 public:
  /// A matrix that is a pure function of seed and kind of entries. Throws as Projector does.
  StreamedProjector(int64_t rows, int64_t columns, int64_t seed, ops::Entries entries = ops::Entries::normal)
      : Projector(rows, columns), seed_(seed), entries_(entries) {}

  std::string name() const override { return "StreamedProjector"; }

 protected:
  torch::Tensor compute(const torch::Tensor& x, int64_t first_row, int64_t rows) override;

 private:
  int64_t seed_;
  ops::Entries entries_;
};

}  // namespace optotorch
