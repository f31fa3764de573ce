#pragma once

#include <optotorch/trainers/batch_source.h>
#include <torch/arg.h>

#include <cstdint>

namespace optotorch {

/// Options for HeaderBatches: HeaderBatchesOptions(3).samples(2000).
struct HeaderBatchesOptions {
  /// Headers of `bits` bits.
  HeaderBatchesOptions(int64_t bits) : bits_(bits) {}  // NOLINT(google-explicit-constructor)

  /// Length n of a header, 1 to 16: 2^n classes.
  TORCH_ARG(int64_t, bits);
  /// Bits of the stream that a frame shows, the header the newest of them; `bits` to 64, or 0: twice `bits`.
  TORCH_ARG(int64_t, window) = 0;
  /// Mirrors that show a bit, at least 1.
  TORCH_ARG(int64_t, mirrors) = 16;
  /// Frames in an epoch, at least 1.
  TORCH_ARG(int64_t, samples) = 1000;
  /// Frames in a batch; 0: all.
  TORCH_ARG(int64_t, batch_size) = 0;
  /// Seed of the stream.
  TORCH_ARG(int64_t, seed) = 0;
};

/// Headers in a bit stream. The bits b_0, b_1, ... are fair coins, a pure function of the seed; frame k shows the bits
/// b_k .. b_(k + window - 1), each on `mirrors` mirrors side by side:
///
///     data [batch, window mirrors] of 0 and 1          target = sum over j < n of b_(k + window - n + j) 2^(n - 1 - j)
///
/// so that a frame differs from the one before by a bit, and what the read-out tells apart stands beside bits that say
/// nothing. Every epoch is the same stretch of the stream, in its order. Throws c10::ValueError for batches out of
/// range.
class HeaderBatches : public BatchSource {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit HeaderBatches(HeaderBatchesOptions options);

  int64_t size() const override;
  Batch batch(int64_t epoch, int64_t index) const override;

  /// Number of different headers, 2^n.
  int64_t classes() const { return int64_t{1} << options_.bits(); }
  /// Values of a frame.
  int64_t inputs() const { return options_.window() * options_.mirrors(); }

 private:
  HeaderBatchesOptions options_;
};

}  // namespace optotorch
