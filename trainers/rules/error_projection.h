#pragma once

// An error as signals at many places, by one random matrix.

#include <optotorch/trainers/rules/direct_feedback_options.h>
#include <torch/types.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace optotorch {

/// Makes the signal at one place, when it is wanted.
using MakeSignal = std::function<torch::Tensor()>;

/// The half of direct feedback that a system of its own may be: shows errors and reads projections. The
/// signals at places 1, 2, ... of n_1, n_2, ... values are
///
///     s_l = scale / sqrt(m) B_l e,      B_l rows n_1 + ... + n_(l-1) and the next n_l of the projector's
///
/// for an error e of m values, or what ternary frames make of it.
class ErrorProjection {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit ErrorProjection(DirectFeedbackOptions options);

  /// For places of the shapes of `places` and an error [batch, ...] that is the gradient of a mean over the
  /// batch. An error [batch] is one value a sample. The projector is made by the first call. A signal whose
  /// projector has no state is multiplied when it is asked for, by any thread. Throws c10::ValueError for an
  /// error or a signal that is not finite, for empty batches, and for shapes that do not fit the options or
  /// the first call's.
  std::vector<MakeSignal> signals(const std::vector<torch::Tensor>& places, const torch::Tensor& error);

  /// scale / sqrt(m) B_1 of `rows` rows for errors of `columns` values, read by showing unit vectors: as int8
  /// where errors are shown as ternary frames, else in float64.
  torch::Tensor matrix(int64_t rows, int64_t columns);

  /// State of the projector.
  std::map<std::string, torch::Tensor> state() const;
  /// Gives the projector its state back; an empty one means that before the first signals. Throws as
  /// Projector::load_state does, at the latest when the projector is made.
  void load_state(const std::map<std::string, torch::Tensor>& state);

 private:
  Projector& projector(int64_t rows, int64_t columns);

  DirectFeedbackOptions options_;
  std::optional<TernaryFrames> frames_;
  std::shared_ptr<Projector> projector_;          // made when first needed
  std::map<std::string, torch::Tensor> pending_;  // the state of a projector that is still to be made
};

}  // namespace optotorch
