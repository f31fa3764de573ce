#pragma once

#include <optotorch/trainers/datasets/image_file_set.h>

#include <string>

namespace optotorch {

/// ImageNet's classification of 2012: 1,281,167 + 50,000 photographs in 1,000 classes (Russakovsky et al.,
/// arXiv:1409.0575).
class ImageNet : public ImageFileSet {
 public:
  /// Reads `root`/SPLIT/WNID/*, as ImageFolder does; split: "train" or "val". This is how torchvision's
  /// ImageNet leaves the archives that it unpacks; its meta.bin is not read. Class names are the synonyms
  /// of `root`/LOC_synset_mapping.txt ("n01440764 tench, Tinca tinca" in each line) if there is such a
  /// file, else WNIDs. Throws c10::ValueError for another split, if a class is missing from that list, and
  /// as ImageFolder does.
  explicit ImageNet(const std::string& root, const std::string& split = "train");
};

}  // namespace optotorch
