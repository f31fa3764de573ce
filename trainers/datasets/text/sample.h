#pragma once

#include <optotorch/modules/hybrid.h>
#include <optotorch/trainers/datasets/text/characters.h>
#include <torch/arg.h>

#include <cstdint>
#include <string>

namespace optotorch {

/// Options for sample.
struct SampleOptions {
  /// Options for a network that takes up to `context` characters.
  SampleOptions(int64_t context) : context_(context) {}  // NOLINT(google-explicit-constructor)

  /// The most characters that the network takes, at least 1.
  TORCH_ARG(int64_t, context);
  /// Characters to draw, 1 to 10^6.
  TORCH_ARG(int64_t, length) = 500;
  /// T >= 0. 1: as the network has it; below, the probable becomes more so; 0: always the most probable, the
  /// first of equals.
  TORCH_ARG(double, temperature) = 1;
  /// Seed of the draws.
  TORCH_ARG(uint64_t, seed) = 0;
};

/// Draws a text, character by character: the next one is i with probability softmax(logits / T)[i].
///
/// `model`, in eval mode meanwhile, takes the numbers of the last t <= context characters, int64 [1, t], and
/// gives real logits [1, t, characters.vocabulary_size()], of which those behind the last count; -inf
/// forbids a character. Returns what was drawn, without `prompt`, which is at least one character of the
/// vocabulary; of a long one the last `context` characters are seen.
///
/// The same for the same weights, prompt and options: draw n is Philox4x32-10 with key `seed` and counter
/// words (n, 0). Throws c10::ValueError for arguments out of their ranges, and if the network gives anything
/// else, NaN or +inf.
std::string sample(HybridImpl& model, const Characters& characters, const std::string& prompt,
                   const SampleOptions& options);

}  // namespace optotorch
