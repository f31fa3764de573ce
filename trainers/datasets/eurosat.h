#pragma once

#include <optotorch/trainers/datasets/image_file_set.h>

#include <string>

namespace optotorch {

/// 27,000 pictures of 64 x 64 that satellites took, in 10 classes of land use (Helber et al.,
/// arXiv:1709.00029).
class EuroSAT : public ImageFileSet {
 public:
  /// Reads `root`/eurosat/2750/CLASS/*, as ImageFolder does. Throws c10::ValueError as ImageFolder does; if
  /// the folder is missing, it says how to get it.
  explicit EuroSAT(const std::string& root);
};

}  // namespace optotorch
