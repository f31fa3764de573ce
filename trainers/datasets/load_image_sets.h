#pragma once

// Data sets by name, for programs and configurations.

#include <optotorch/trainers/datasets/image_set.h>

#include <string>
#include <vector>

namespace optotorch {

/// "mnist", "fashion-mnist", "kmnist", "emnist-byclass", "emnist-bymerge", "emnist-balanced",
/// "emnist-letters", "emnist-digits", "emnist-mnist", "qmnist", "cifar10", "cifar100", "cifar100-coarse",
/// "svhn", "stl10", "usps", "semeion", "fer2013", "fake-data".
std::vector<std::string> image_set_names();

/// One part of the data set `name` (one of image_set_names()) below `root`: `root`/MNIST/raw, ...
///
/// SEMEION has one part: a fifth of it, 319 images drawn by split (split.h) with seed 0, is the part to test
/// on. "fake-data" is FakeData of 1,000 + 1,000 images of 1 x 28 x 28, without a look at `root`.
///
/// Throws c10::ValueError, which names the nearest known name, for an unknown one, as the data set's class
/// does, and if the part has images without labels (FER2013's test.csv).
ImageSet load_image_set(const std::string& name, const std::string& root, ImageSet::Mode mode);

/// Both parts of a data set, as load_image_set gives them.
ImageSetPair load_image_sets(const std::string& name, const std::string& root);

}  // namespace optotorch
