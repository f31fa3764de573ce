#pragma once

// Data sets by name, for programs and configurations.

#include <optotorch/trainers/datasets/image_set.h>

#include <string>
#include <vector>

namespace optotorch {

/// "mnist", "fashion-mnist", "kmnist", "emnist-byclass", "emnist-bymerge", "emnist-balanced",
/// "emnist-letters", "emnist-digits", "emnist-mnist", "qmnist".
std::vector<std::string> image_set_names();

/// One part of the data set `name` (one of image_set_names()) below `root`: `root`/MNIST/raw, ...
///
/// Throws c10::ValueError, which names the nearest known name, for an unknown one, and as read_idx_image_set
/// does (idx_image_set.h).
ImageSet load_image_set(const std::string& name, const std::string& root, ImageSet::Mode mode);

/// Both parts of a data set, as load_image_set gives them.
ImageSetPair load_image_sets(const std::string& name, const std::string& root);

}  // namespace optotorch
