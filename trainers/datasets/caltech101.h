#pragma once

#include <optotorch/trainers/datasets/image_file_set.h>

#include <string>

namespace optotorch {

/// Objects: 101 categories of about 40 to 800 photographs, some of them grey (Fei-Fei, Fergus, Perona, CVPR
/// workshop 2004).
class Caltech101 : public ImageFileSet {
 public:
  /// Reads `root`/caltech101/101_ObjectCategories/CATEGORY/image_0001.jpg, ..., as many as there are
  /// entries in the folder; BACKGROUND_Google is no category. Outlines (Annotations) are not read. Grey
  /// photographs become RGB, which torchvision leaves to the user. Throws c10::ValueError if the folder is
  /// missing, and says how to get it.
  explicit Caltech101(const std::string& root);
};

}  // namespace optotorch
