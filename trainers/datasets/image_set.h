#pragma once

// Labelled images in memory: what every data set of images is.

#include <ATen/core/Tensor.h>
#include <torch/data/datasets/base.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace optotorch {

/// N images with a class each, in memory as bytes.
///
/// It is a data set of LibTorch: `MNIST(root).map(Stack<>())` goes into torch::data::make_data_loader.
/// ImageBatches (batches.h) yields the same batches several times faster. Copies and the views made by
/// `select` share the pixels. MNIST, FashionMNIST, ... only say where the images come from: they add no state
/// and may be sliced to an ImageSet.
class ImageSet : public torch::data::datasets::Dataset<ImageSet> {
 public:
  /// The part of a data set that its authors meant to train on, or to test on.
  enum class Mode { train, test };

  /// Whether every image has a label.
  enum class Labels {
    all,
    some  ///< those without one have target no_label
  };

  /// The target of an image without a label.
  static constexpr int64_t no_label = -1;

  /// images: uint8 [N, C, H, W]; targets: int64 [N], from 0 to the number of class names - 1, with
  /// Labels::some also no_label; N >= 1. Throws c10::ValueError otherwise. `name` is what errors call the set.
  ImageSet(std::string name, at::Tensor images, at::Tensor targets, std::vector<std::string> class_names,
           Labels labels = Labels::all);

  /// Image `index` as float32 [C, H, W] in [0, 1] (pixel / 255) and its class, an int64 scalar.
  /// Throws c10::ValueError unless index < N.
  torch::data::Example<> get(size_t index) override;

  /// N.
  std::optional<size_t> size() const override { return static_cast<size_t>(count()); }

  /// N.
  int64_t count() const { return targets_.numel(); }

  /// Image `index` < N: uint8 [C, H, W], a view of the set's memory.
  at::Tensor image(int64_t index) const;

  /// uint8 [N, C, H, W], as on disk. Gathered anew at each call if this is a view.
  at::Tensor images() const;

  /// int64 [N].
  const at::Tensor& targets() const { return targets_; }

  /// False if any target is no_label: such a set can be looked at and batched, but a loss that takes classes
  /// refuses it.
  bool labelled() const { return labelled_; }

  /// Name of the set in errors.
  const std::string& name() const { return name_; }

  /// Name of every class, by its number.
  const std::vector<std::string>& class_names() const { return class_names_; }

  /// Number of classes, including those without an image.
  int64_t classes() const { return static_cast<int64_t>(class_names_.size()); }

  /// C.
  int64_t channels() const { return pixels_.size(1); }

  /// H, pixels.
  int64_t height() const { return pixels_.size(2); }

  /// W, pixels.
  int64_t width() const { return pixels_.size(3); }

  /// The samples `index` (int64 [M], M >= 1, each from 0 to N - 1; repetitions are allowed) as a view: the
  /// pixels are shared, not copied. Throws c10::ValueError otherwise.
  ImageSet select(const at::Tensor& index) const;

  /// How the images lie in memory: sample i is pixels()[rows()[i]]. pixels() is contiguous; rows() is
  /// undefined where sample i is pixels()[i]. For loaders that gather by themselves.
  const at::Tensor& pixels() const { return pixels_; }
  /// int64 [N], or undefined; see pixels().
  const at::Tensor& rows() const { return rows_; }

 private:
  std::string name_;
  at::Tensor pixels_;
  at::Tensor rows_;
  at::Tensor targets_;
  std::vector<std::string> class_names_;
  bool labelled_ = true;
};

/// The two parts of a data set.
struct ImageSetPair {
  ImageSet train;  ///< part to train on
  ImageSet test;   ///< part to test on
};

}  // namespace optotorch
