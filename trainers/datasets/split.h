#pragma once

#include <optotorch/trainers/datasets/image_file_set.h>
#include <optotorch/trainers/datasets/image_set.h>

#include <cstdint>

namespace optotorch {

/// A data set in two parts. Both are views: they share the pixels of the set they were split from.
struct Split {
  /// Samples that remain.
  ImageSet training;
  /// Samples that are held back.
  ImageSet validation;
};

/// Holds a random part of `set` back for validation, so that an epoch or a setting can be chosen without the
/// test set.
///
/// validation: below 1 the fraction of the samples, rounded to the nearest number of them; from 1 on their
/// number, which must be whole. Every sample is in exactly one part, and neither may be empty. Each part
/// keeps the order of `set`. Drawn without regard to the classes; the same for the same number of samples,
/// `validation` and `seed`.
///
/// Throws c10::ValueError otherwise.
Split split(const ImageSet& set, double validation, uint64_t seed);

/// A set of picture files in two parts.
struct FileSplit {
  /// Samples that remain.
  ImageFileSet training;
  /// Samples that are held back.
  ImageFileSet validation;
};
/// Splits a set of picture files in the same way; throws likewise.
FileSplit split(const ImageFileSet& set, double validation, uint64_t seed);

}  // namespace optotorch
