#pragma once

// Labelled images in files: what every data set of picture files is.

#include <ATen/core/Tensor.h>
#include <optotorch/trainers/datasets/image_file.h>
#include <torch/data/datasets/base.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace optotorch {

/// N picture files with a class each. A file is read when its image is asked for, and nothing is kept of it.
///
/// It is a data set of LibTorch: `ImageFolder(root).map(...)` goes into torch::data::make_data_loader, whose
/// workers read files side by side. Images may differ in size. Copies share the paths. ImageFolder, Food101,
/// ... only say where the files lie: they add no state and may be sliced to an ImageFileSet.
class ImageFileSet : public torch::data::datasets::Dataset<ImageFileSet> {
 public:
  /// targets: int64 [N], from 0 to the number of class names - 1, one for each path; N >= 1. Throws
  /// c10::ValueError otherwise. `name` is what errors call the set. Files are not looked at.
  ImageFileSet(std::string name, std::vector<std::string> paths, at::Tensor targets,
               std::vector<std::string> class_names, ImageFileMode mode = ImageFileMode::rgb);

  /// Image `index` as float32 [C, H, W] in [0, 1] (pixel / 255) and its class, an int64 scalar. C is 3, or 1
  /// if grey. Throws c10::ValueError unless index < N, and as read_image_file does. May be called by several
  /// threads at once.
  torch::data::Example<> get(size_t index) override;

  /// Image `index` as uint8 [C, H, W]; throws as get() does.
  at::Tensor image(int64_t index) const;

  /// N.
  std::optional<size_t> size() const override { return static_cast<size_t>(count()); }

  /// N.
  int64_t count() const { return targets_.numel(); }

  /// int64 [N].
  const at::Tensor& targets() const { return targets_; }

  /// Name of the set in errors.
  const std::string& name() const { return name_; }

  /// Colour or grey, as the files are read.
  ImageFileMode mode() const { return mode_; }

  /// Name of every class, by its number.
  const std::vector<std::string>& class_names() const { return *class_names_; }

  /// Number of classes, including those without an image.
  int64_t classes() const { return static_cast<int64_t>(class_names_->size()); }

  /// The class of a name: torchvision's class_to_idx. Of names that occur twice, the last.
  std::map<std::string, int64_t> class_to_idx() const;

  /// The file of image `index`; throws c10::ValueError unless 0 <= index < N.
  const std::string& path(int64_t index) const;

  /// All N of them, gathered anew at each call.
  std::vector<std::string> paths() const;

  /// The samples `index` (int64 [M], M >= 1, each from 0 to N - 1; repetitions are allowed). Throws
  /// c10::ValueError otherwise.
  ImageFileSet select(const at::Tensor& index) const;

 private:
  std::string name_;
  std::shared_ptr<const std::vector<std::string>> paths_;
  at::Tensor rows_;  // sample i is paths_[rows_[i]]; undefined where that is i
  at::Tensor targets_;
  std::shared_ptr<const std::vector<std::string>> class_names_;
  ImageFileMode mode_;
};

}  // namespace optotorch
