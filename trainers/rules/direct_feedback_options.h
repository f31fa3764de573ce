#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/projectors/projector.h>
#include <optotorch/modules/projectors/ternary_frames.h>
#include <torch/arg.h>

#include <functional>
#include <memory>
#include <optional>

#include <string>
#include <vector>

namespace optotorch {

/// Makes the projector that a network needs.
using MakeProjector = std::function<std::shared_ptr<Projector>(int64_t rows, int64_t columns)>;

/// Error that direct feedback projects.
enum class ErrorOf {
  output,      ///< the loss's gradient at the network's output
  head_input,  ///< at the input of the head, e.g. before the weights of a vocabulary
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(ErrorOf) {
  static const std::vector<std::string> all{"output", "head_input"};
  return all;
}

/// Options for DirectFeedback.
struct DirectFeedbackOptions {
  /// Seed of the random matrix.
  TORCH_ARG(int64_t, seed) = 0;
  /// Standard deviation of an entry of B_l, times the square root of the error's size; above 0.
  TORCH_ARG(double, scale) = 1;
  /// Projector of the error; by default a DenseProjector of `seed`.
  TORCH_ARG(MakeProjector, projector) = nullptr;
  /// The error is shown as ternary frames; without this as it is.
  TORCH_ARG(std::optional<TernaryFramesOptions>, ternary) = std::nullopt;
  /// All blocks get the same rows, as many as each needs, instead of rows of their own.
  TORCH_ARG(bool, shared_rows) = false;
  /// Error that is projected.
  TORCH_ARG(ErrorOf, error) = ErrorOf::output;
  /// Tensors are [batch, tokens ..., values], and every token gets a signal by the same rows: from its own
  /// error if there is one for every token, else from its sample's, divided by the number of tokens (as
  /// their mean would). Otherwise every value of a sample has a row of its own.
  TORCH_ARG(bool, per_token) = false;

 public:
  /// Every option by name (fields.h) but the seed, the projector and the frames.
  void fields(FieldVisitor& visit) {
    visit("scale", scale_);
    visit("shared_rows", shared_rows_);
    visit("error", error_);
    visit("per_token", per_token_);
  }
};

}  // namespace optotorch
