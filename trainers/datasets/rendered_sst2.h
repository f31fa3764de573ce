#pragma once

#include <optotorch/trainers/datasets/image_file_set.h>

#include <string>

namespace optotorch {

/// Sentences about films, as pictures of text: "negative" and "positive", 6,920 + 872 + 1,821 (Radford et
/// al., arXiv:2103.00020).
class RenderedSST2 : public ImageFileSet {
 public:
  /// Reads `root`/rendered-sst2/{train,valid,test}/CLASS/*.png; split: "train", "val" or "test". Throws
  /// c10::ValueError for another split and as ImageFolder does; if the folders are missing, it says how to
  /// get them.
  explicit RenderedSST2(const std::string& root, const std::string& split = "train");
};

}  // namespace optotorch
