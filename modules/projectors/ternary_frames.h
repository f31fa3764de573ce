#pragma once

#include <optotorch/modules/fields.h>
#include <torch/arg.h>
#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace optotorch {

/// Unit of a threshold.
enum class Threshold {
  rms,       ///< the root mean square of what is encoded, of each sample
  absolute,  ///< the values themselves; as published, for errors of a softmax
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(Threshold) {
  static const std::vector<std::string> all{"rms", "absolute"};
  return all;
}

/// Options for TernaryFrames: TernaryFramesOptions().threshold(Threshold::absolute).level(.1).gain(false).
struct TernaryFramesOptions {
  /// Unit of `level`.
  TORCH_ARG(Threshold, threshold) = Threshold::rms;
  /// Where a value begins to count: 0 to 4 (rms), 0 to 1 (absolute). 0 keeps only signs and destroys the
  /// signal: small values are as loud as large ones.
  TORCH_ARG(double, level) = 0.6;
  /// Frames that are shown one after the other, each of what those before have left: 1 to 16.
  TORCH_ARG(int64_t, frames) = 2;
  /// Each frame has the gain that fits best, electronically; otherwise 1.
  TORCH_ARG(bool, gain) = true;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("threshold", threshold_);
    visit("level", level_);
    visit("frames", frames_);
    visit("gain", gain_);
  }
};

/// One frame for every sample: -1, 0, 1, and what they stand for.
struct TernaryFrame {
  torch::Tensor values;  ///< q, int8 [batch, columns]
  torch::Tensor gain;    ///< a [batch, 1], in the type of what was encoded; 0 for an empty frame
};

/// Values as a sum of ternary frames, which a modulator with two states can show:
///
///     r_1 = e;   q_f = [r_f > t] - [r_f < -t],   a_f = sum(q_f r_f) / sum |q_f|,   r_{f+1} = r_f - a_f q_f
///
/// with sums over the values of a sample, so that e ~ sum_f a_f q_f; t = level rms(r_f), or level. The
/// published encoding is one frame with an absolute threshold and a = 1.
class TernaryFrames {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit TernaryFrames(TernaryFramesOptions options = {});

  /// The frames of e [batch, columns], real and finite. Throws c10::ValueError otherwise.
  std::vector<TernaryFrame> encode(const torch::Tensor& e) const;

  /// The options it was made from.
  const TernaryFramesOptions options;
};

}  // namespace optotorch
