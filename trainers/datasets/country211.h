#pragma once

#include <optotorch/trainers/datasets/image_file_set.h>

#include <string>

namespace optotorch {

/// Photographs from 211 countries: 150 + 50 + 100 of each (Radford et al., arXiv:2103.00020).
class Country211 : public ImageFileSet {
 public:
  /// Reads `root`/country211/SPLIT/COUNTRY/*, as ImageFolder does; split: "train", "valid" or "test".
  /// Throws c10::ValueError for another split and as ImageFolder does; if the folder is missing, it says
  /// how to get it.
  explicit Country211(const std::string& root, const std::string& split = "train");
};

}  // namespace optotorch
