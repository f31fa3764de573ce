#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace optotorch {

/// Labelled images one by one, wherever they come from: memory, files, a computation. A set of one's own
/// derives from this and goes into ImageBatches.
class ImageSource {
 public:
  ImageSource() = default;
  ImageSource(const ImageSource&) = delete;
  ImageSource& operator=(const ImageSource&) = delete;
  ImageSource(ImageSource&&) = delete;
  ImageSource& operator=(ImageSource&&) = delete;
  virtual ~ImageSource() = default;

  /// Its name in errors.
  virtual const std::string& name() const = 0;
  /// Name of every class, by its number.
  virtual const std::vector<std::string>& class_names() const = 0;
  /// int64 [N], N >= 1.
  virtual const at::Tensor& targets() const = 0;
  /// Image `index`, 0 to N - 1: uint8 [C, H, W], not to be changed. May be called from several threads at
  /// once. Throws c10::ValueError for an image that cannot be read.
  virtual at::Tensor image(int64_t index) const = 0;

  /// N.
  int64_t count() const { return targets().numel(); }
};

/// The images of any `Set` that has these four functions: ImageSet, ImageFileSet.
template <typename Set>
class ImagesOf : public ImageSource {
 public:
  /// Keeps `set` as its own.
  explicit ImagesOf(Set set) : set_(std::move(set)) {}
  const std::string& name() const override { return set_.name(); }
  const std::vector<std::string>& class_names() const override { return set_.class_names(); }
  const at::Tensor& targets() const override { return set_.targets(); }
  at::Tensor image(int64_t index) const override { return set_.image(index); }

 private:
  Set set_;
};

}  // namespace optotorch
