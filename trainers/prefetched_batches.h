#pragma once

#include <optotorch/trainers/batch_source.h>
#include <torch/arg.h>

#include <memory>

namespace optotorch {

/// Options for PrefetchedBatches: PrefetchedBatchesOptions(2).ahead(8).
struct PrefetchedBatchesOptions {
  /// `workers` threads, two batches ahead for each.
  PrefetchedBatchesOptions(int64_t workers) : workers_(workers) {}  // NOLINT(google-explicit-constructor)

  /// Threads that prepare batches, 1 to 1024. Each works with one thread.
  TORCH_ARG(int64_t, workers);
  /// Batches that may be ready or in work ahead of the one that is asked for, which bounds the memory they
  /// take; 1 to 2^20, or 0: two for each worker.
  TORCH_ARG(int64_t, ahead) = 0;
};

/// Another source's batches, prepared ahead by threads of its own, in the order in which a Trainer asks for
/// them: batch k, k + 1, ... of an epoch, then the next epoch's. The batches are the same for any number of
/// workers. Whoever asks for another batch gets that, and what was prepared in vain is dropped.
///
/// An error of the source is thrown where its batch is asked for. Several threads may ask; the source is called
/// from several threads at once.
class PrefetchedBatches : public BatchSource {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  PrefetchedBatches(std::shared_ptr<const BatchSource> source, const PrefetchedBatchesOptions& options);
  /// Waits for what is in work.
  ~PrefetchedBatches() override;
  PrefetchedBatches(const PrefetchedBatches&) = delete;
  PrefetchedBatches& operator=(const PrefetchedBatches&) = delete;
  PrefetchedBatches(PrefetchedBatches&&) = delete;
  PrefetchedBatches& operator=(PrefetchedBatches&&) = delete;

  int64_t size() const override;
  Batch batch(int64_t epoch, int64_t index) const override;
  /// Whoever asks for parts has them prepared, by the same workers; parts and whole batches are not meant to be
  /// asked for in turn.
  Batch part(int64_t epoch, int64_t index, int64_t part, int64_t parts) const override;

 private:
  struct Place;
  struct Workshop;
  Batch prepared(const Place& wanted) const;
  std::shared_ptr<const BatchSource> source_;
  int64_t ahead_;
  std::unique_ptr<Workshop> workshop_;
};

}  // namespace optotorch
