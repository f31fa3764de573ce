#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <torch/arg.h>

#include <vector>

namespace optotorch {

/// A set of slices of an image, each a vector of pixels in row-major order.
struct SliceSet {
  /// Shape of a slice.
  enum class Kind {
    columns,  ///< one slice a column, from top to bottom
    rows,     ///< one slice a row
    patches,  ///< squares of `size` x `size` pixels, their corners `stride` apart, in row-major order
  };
  /// Its words, in the order of its values.
  friend const std::vector<std::string>& words(Kind) {
    static const std::vector<std::string> all{"columns", "rows", "patches"};
    return all;
  }
  Kind kind = Kind::columns;  ///< form of the slices
  int64_t size = 0,           ///< side of a patch, in pixels; without meaning for other kinds
      stride = 0;             ///< pixels from one patch to the next; without meaning for other kinds
  int64_t copies = 1;         ///< number of times that the set is delivered, 1 to 4096

  /// Every member by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("kind", kind);
    visit("size", size);
    visit("stride", stride);
    visit("copies", copies);
  }

  /// All columns.
  static SliceSet columns() { return {}; }
  /// All rows.
  static SliceSet rows() { return {.kind = Kind::rows}; }
  /// All patches that lie entirely in the image.
  static SliceSet patches(int64_t size, int64_t stride, int64_t copies = 1) {
    return {Kind::patches, size, stride, copies};
  }
};

/// Options for ImageSlices: ImageSlicesOptions(28, 28).sets({SliceSet::columns(), SliceSet::rows()}).
struct ImageSlicesOptions {
  /// The columns of images of `height` x `width` pixels.
  ImageSlicesOptions(int64_t height, int64_t width) : height_(height), width_(width) {}
  /// Rows of an image, 1 to 4096.
  TORCH_ARG(int64_t, height);
  /// Columns of an image, 1 to 4096.
  TORCH_ARG(int64_t, width);
  /// Sets of slices, at least one, in the order in which they are delivered.
  TORCH_ARG(std::vector<SliceSet>, sets) = {SliceSet::columns()};
  /// Divides every image by its root mean square, so that a port carries unit intensity on average.
  TORCH_ARG(bool, normalized) = true;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("height", height_);
    visit("width", width_);
    visit("sets", sets_);
    visit("normalized", normalized_);
  }
};

/// The way in for many small meshes: real images [batch, 1, height, width], or their pixels [batch, height
/// width], -> field [batch, n], the slices of all sets one after the other, each pixel the amplitude of a
/// modulator of its own.
///
///     y = x[index] / rms(x),   rms(x)^2 = mean of x^2 over a sample's pixels
///
/// A black image gives a black field. No parameters. The columns are the slices of arXiv 2408.08337.
class ImageSlicesImpl : public CloneableLayer<ImageSlicesImpl> {
 public:
  /// Throws c10::ValueError for an empty list, patches that do not fit the image, a stride below 1, and a height, width
  /// or number of copies outside 1 to 4096.
  explicit ImageSlicesImpl(ImageSlicesOptions options);

  Role role() const override { return Role::source; }
  Footprint footprint() const override { return {{parts::modulators, size()}}; }

  /// n, the number of values delivered.
  int64_t size() const { return index_.numel(); }

  /// The options it was made from.
  ImageSlicesOptions options;

 protected:
  std::vector<torch::Tensor> read_by_pullback(const Pass& pass) const override { return {pass.input}; }
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;

 private:
  torch::Tensor index_;  ///< [n], into the flattened image
};

TORCH_MODULE(ImageSlices);

}  // namespace optotorch
