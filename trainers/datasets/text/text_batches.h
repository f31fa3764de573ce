#pragma once

// Windows of a text, each with the characters that follow.

#include <optotorch/trainers/batch_source.h>
#include <optotorch/trainers/datasets/text/characters.h>
#include <torch/arg.h>

#include <cstdint>

namespace optotorch {

/// Options for TextBatches.
struct TextBatchesOptions {
  /// Batches of `batch_size` windows of `context` characters.
  TextBatchesOptions(int64_t batch_size, int64_t context) : batch_size_(batch_size), context_(context) {}

  /// Windows in a batch, at least 1.
  TORCH_ARG(int64_t, batch_size);
  /// Characters in a window, at least 1.
  TORCH_ARG(int64_t, context);
  /// For training: so many batches an epoch of windows at random places. 0, for evaluation: windows that
  /// cover the text once, in order.
  TORCH_ARG(int64_t, steps) = 0;
  /// Seed of the random places.
  TORCH_ARG(uint64_t, seed) = 0;
  /// Where windows are in order, leaves out the last one if it is shorter than the others.
  TORCH_ARG(bool, drop_last) = false;
};

/// Batches of a text: data int64 [batch, context], target int64 [batch, context] = the characters that follow
/// those of data, target[b, t] = the one after data[b, t].
///
/// With `steps`, window b of batch k of epoch e begins at random_start(N - context, seed, e, k batch_size +
/// b) (random_order.h), so that every window of context + 1 characters is as likely. A character is met about
/// steps batch_size context / N times an epoch.
///
/// Without, window w begins at w context, and every epoch is the same. Every character but the first, which
/// nothing comes before, is a target exactly once, and is told from the 1 to `context` characters before it
/// in its window. What remains behind the last whole window is a batch of its own, [1, less than context],
/// unless `drop_last`: a mean must weigh it by its characters, Metric::Over::elements (metrics.h).
///
/// Batch k of epoch e is a pure function of the options and (e, k). Copies are cheap, and `batch` may be
/// called from several threads at once.
class TextBatches : public BatchSource {
 public:
  /// Throws c10::ValueError for options out of their ranges, for a text of fewer than context + 1 characters,
  /// and for more than 2^30 characters in a batch or batches in an epoch.
  TextBatches(Characters text, const TextBatchesOptions& options);

  int64_t size() const override;

  /// Throws c10::ValueError unless epoch >= 0 and 0 <= k < size().
  Batch batch(int64_t epoch, int64_t k) const override;

  /// Targets in an epoch.
  int64_t predictions() const;

  /// The text that the windows are cut from.
  const Characters& text() const { return text_; }

  /// The options it was made from.
  const TextBatchesOptions& options() const { return options_; }

 private:
  int64_t whole_windows() const;
  int64_t remainder() const;

  Characters text_;
  TextBatchesOptions options_;
};

}  // namespace optotorch
