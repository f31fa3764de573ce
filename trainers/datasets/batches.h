#pragma once

// Batches of images, fast and repeatable.

#include <ATen/core/Tensor.h>
#include <optotorch/trainers/batch_source.h>
#include <optotorch/trainers/datasets/image_set.h>
#include <optotorch/trainers/datasets/image_source.h>
#include <optotorch/trainers/datasets/transforms/transform.h>
#include <torch/arg.h>

#include <concepts>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace optotorch {

/// Options for ImageBatches.
struct ImageBatchesOptions {
  /// Batches of `batch_size` samples.
  ImageBatchesOptions(int64_t batch_size) : batch_size_(batch_size) {}  // NOLINT(google-explicit-constructor)

  /// Samples in a batch, at least 1.
  TORCH_ARG(int64_t, batch_size);
  /// A new random order in every epoch; otherwise the order of the data set.
  TORCH_ARG(bool, shuffle) = false;
  /// Seed of the orders, the shifts and the flips.
  TORCH_ARG(uint64_t, seed) = 0;
  /// Leaves out the last batch of an epoch if it is not full.
  TORCH_ARG(bool, drop_last) = false;
  /// data = (pixel / 255 - mean) / stddev; one value for all channels or one for each. The default is [0, 1].
  TORCH_ARG(std::vector<double>, mean) = {0.0};
  /// Divisors, above 0: one for all channels or one for each.
  TORCH_ARG(std::vector<double>, stddev) = {1.0};
  /// Moves every image by up to this many pixels, at random in both directions, anew in every epoch; what
  /// comes in from outside is pixel value 0. Less than height and width.
  TORCH_ARG(int64_t, shift) = 0;
  /// Mirrors images left to right, one in two, at random, anew in every epoch; behind the shift.
  TORCH_ARG(bool, flip) = false;
  /// Applied to every image by itself, as bytes, before anything else; what it delivers must have one size.
  /// Its random numbers are those of a generator seeded anew for every sample (`seed`, epoch, sample). Bytes
  /// then become pixel / 255, floats stay as they are; mean and stddev apply to both. Not beside `shift` and
  /// `flip`, which do their two things faster on sets in memory.
  TORCH_ARG(std::shared_ptr<const transforms::Transform>, transform) = nullptr;
  /// [channels, height, width] that every image must have behind its transform; empty: all of a batch alike.
  TORCH_ARG(std::vector<int64_t>, shape) = {};
  /// Leaves out images that cannot be read, and counts them (ImageBatches::skipped); otherwise they are
  /// errors. Batches are then smaller by so many samples; one without any is an error all the same.
  TORCH_ARG(bool, skip_broken) = false;
  /// at::kFloat or at::kDouble.
  TORCH_ARG(at::ScalarType, dtype) = at::kFloat;
};

/// The batches of a set of images, made whole: gathered or decoded, transformed, converted, normalised, shifted
/// and mirrored.
///
/// Batch k of epoch e is a pure function of the options and (e, k), so that training resumes in the middle of
/// an epoch without replaying what went before. Copies are cheap, and `batch` may be
/// called from several threads at once.
///
///     const ImageBatches batches(MNIST("data"), ImageBatchesOptions(128).shuffle(true).seed(1));
///     for (const auto& [data, target] : batches.epoch(0)) { ... }
class ImageBatches : public BatchSource {
 public:
  class Iterator;
  class Epoch;

  /// Throws c10::ValueError for options out of their ranges, or if no batch would be left.
  ImageBatches(ImageSet set, const ImageBatchesOptions& options);
  /// Reads images one by one, from a source of one's own. Throws as above, and for a null pointer, `shift` or `flip`.
  ImageBatches(std::shared_ptr<const ImageSource> set, const ImageBatchesOptions& options);
  /// Reads images one by one, from any set with these functions, such as an ImageFileSet. Throws likewise.
  template <typename Set>
  requires(!std::derived_from<Set, ImageSet>) && requires(const Set& set) {
    set.image(0), set.targets(), set.class_names(), set.name();
  }
  ImageBatches(Set set, const ImageBatchesOptions& options)
      : ImageBatches(std::static_pointer_cast<const ImageSource>(
                         std::make_shared<const ImagesOf<Set>>(std::move(set))),
                     options) {}

  /// Batches in an epoch.
  int64_t size() const override;

  /// Batch k of an epoch: samples order[k * batch_size ...], where `order` is the data set's or, with
  /// `shuffle`, random_order(N, seed, RandomStream::order, epoch); shifted by random_shift(shift, seed,
  /// epoch, sample), then mirrored if `flip` and random_flip(seed, epoch, sample). The order of the epoch
  /// that was asked for last is kept.
  ///
  /// Throws c10::ValueError unless epoch >= 0 and 0 <= k < size(), for an image that cannot be read (see
  /// skip_broken), and if the images are not of one size.
  Batch batch(int64_t epoch, int64_t k) const override;
  /// Of images made one by one only those of the part are read; of those that cannot be read parts are smaller.
  Batch part(int64_t epoch, int64_t k, int64_t part, int64_t parts) const override;

  /// The batches of an epoch from `first` on, for a range-based for; 0 <= first <= size().
  Epoch epoch(int64_t epoch, int64_t first = 0) const;

  /// The set that the batches come from.
  const ImageSource& images() const { return *images_; }

  /// The options it was made from.
  const ImageBatchesOptions& options() const { return options_; }

  /// Images that could not be read so far, each counted once.
  int64_t skipped() const;

 private:
  struct Cache;

  at::Tensor samples(int64_t epoch, int64_t k) const;
  Batch batch_of(int64_t epoch, const at::Tensor& samples) const;
  Batch one_by_one(int64_t epoch, const at::Tensor& samples) const;

  std::shared_ptr<const ImageSource> images_;
  std::shared_ptr<const ImageSet> bytes_;  // the same, if its images lie in memory and are not transformed
  ImageBatchesOptions options_;
  at::Tensor values_;  // [C or 1, 256]: what becomes of a pixel value
  std::shared_ptr<Cache> cache_;
};

/// Yields batches by value.
class ImageBatches::Iterator {
 public:
  /// Stands at batch `k`; `batches` must outlive it.
  Iterator(const ImageBatches* batches, int64_t epoch, int64_t k) : batches_(batches), epoch_(epoch), k_(k) {}
  /// Makes the batch, anew at each call. Throws as ImageBatches::batch does.
  Batch operator*() const { return batches_->batch(epoch_, k_); }
  /// Moves on to the next batch of the epoch without making it.
  Iterator& operator++() {
    ++k_;
    return *this;
  }
  /// Compares positions alone: both iterators must belong to the same Epoch.
  bool operator!=(const Iterator& other) const { return k_ != other.k_; }

 private:
  const ImageBatches* batches_;
  int64_t epoch_;
  int64_t k_;
};

/// Holds a copy of its ImageBatches, so that it may outlive them.
class ImageBatches::Epoch {
 public:
  /// The batches of epoch `epoch` from `first` on; ImageBatches::epoch checks both.
  Epoch(ImageBatches batches, int64_t epoch, int64_t first)
      : batches_(std::move(batches)), epoch_(epoch), first_(first) {}
  /// Stands at batch `first`. Iterators are valid as long as this object.
  Iterator begin() const { return {&batches_, epoch_, first_}; }
  /// Stands behind the last batch.
  Iterator end() const { return {&batches_, epoch_, batches_.size()}; }

 private:
  ImageBatches batches_;
  int64_t epoch_;
  int64_t first_;
};

}  // namespace optotorch
