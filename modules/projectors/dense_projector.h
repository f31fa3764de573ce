#pragma once

#include <optotorch/modules/projectors/projector.h>
#include <optotorch/ops/random_projection.h>

#include <mutex>

namespace optotorch {

/// A stored matrix: what is fastest while it fits. Made of random entries, it is the matrix that a
/// StreamedProjector of the same seed never stores.
class DenseProjector : public Projector {
 public:
  /// Real entries of ops::random_projection. Throws c10::ValueError for complex ones, and for
  /// more than 2^38.
  DenseProjector(int64_t rows, int64_t columns, int64_t seed, ops::Entries entries = ops::Entries::normal);
  /// A matrix [rows, columns] of the user's own, float32 or float64, finite.
  explicit DenseProjector(const torch::Tensor& matrix);

  std::string name() const override { return "DenseProjector"; }
  /// B [rows, columns].
  const torch::Tensor& matrix() const { return matrix_; }

 protected:
  torch::Tensor compute(const torch::Tensor& x, int64_t first_row, int64_t rows) override;

 private:
  torch::Tensor matrix_for(const torch::Tensor& values);

  torch::Tensor matrix_;
  torch::Tensor used_;  ///< the same where the last values were, and of their type; several threads ask
  std::mutex mutex_;
};

}  // namespace optotorch
