#pragma once

// Simulated systems that give away what no laboratory could.

#include <optotorch/modules/stage.h>

#include <vector>

namespace optotorch {

/// A PhysicalSystem that knows its own slopes: the yardstick for models that only see its readings
/// (rules/laboratory/oracle.h).
class TransparentSystem {
 public:
  TransparentSystem() = default;
  virtual ~TransparentSystem() = default;
  TransparentSystem(const TransparentSystem&) = delete;
  TransparentSystem& operator=(const TransparentSystem&) = delete;
  TransparentSystem(TransparentSystem&&) = delete;
  TransparentSystem& operator=(TransparentSystem&&) = delete;

  /// Result of `pullback`.
  struct Gradients {
    torch::Tensor dL_dx;           ///< gradient at what enters
    std::vector<Values> commands;  ///< gradients at the commands of every stage
  };
  /// The pull-back of dL_dreading, which stands at the last reading of x, through the system as it is commanded,
  /// without noise. Throws c10::ValueError before commands were set and for tensors of other shapes.
  virtual Gradients pullback(const torch::Tensor& x, const torch::Tensor& dL_dreading) = 0;
};

}  // namespace optotorch
