#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <torch/arg.h>

#include <string>
#include <utility>
#include <vector>

namespace optotorch {

/// Shape of an opening.
enum class ApertureShape {
  circle,  ///< of one diameter, or an ellipse of two
  rectangle,
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(ApertureShape) {
  static const std::vector<std::string> all{"circle", "rectangle"};
  return all;
}

/// Options for Aperture: ApertureOptions({64, 64}, {5e-4, 5e-4}).shape(ApertureShape::rectangle).
struct ApertureOptions {
  /// A circular opening of `size` in the middle of a field of `window`.
  ApertureOptions(std::vector<int64_t> window, std::vector<double> size)
      : window_(std::move(window)), size_(std::move(size)) {}
  /// Rows and columns of the field.
  TORCH_ARG(std::vector<int64_t>, window);
  /// Height and width, metres: of a circle both are its diameter.
  TORCH_ARG(std::vector<double>, size);
  /// Outline of the opening.
  TORCH_ARG(ApertureShape, shape) = ApertureShape::circle;
  /// Spacing of the field's samples, metres.
  TORCH_ARG(double, spacing) = 17e-6;
  /// Centre of the opening, from the window's middle: metres down, metres right.
  TORCH_ARG(std::vector<double>, center) = {0, 0};

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("window", window_);
    visit("size", size_);
    visit("shape", shape_);
    visit("spacing", spacing_);
    visit("center", center_);
  }
};

/// An opening in a dark screen, y = t x: field [batch, planes, window] -> the same. t is the part of a sample's
/// square, `spacing` a side, that lies in the opening: exact of a rectangle, of an ellipse counted at 8 x 8
/// places. No parameters. Throws c10::ValueError for lengths that are not positive or not finite, and a field of
/// another size.
class ApertureImpl : public CloneableLayer<ApertureImpl> {
 public:
  /// Throws c10::ValueError for a window outside 1 to 2^14 a side, lengths that are not positive and finite, and a
  /// centre that is not two finite numbers.
  explicit ApertureImpl(ApertureOptions options);

  Role role() const override { return Role::component; }
  Deployment deploy() override;

  /// The options it was made from.
  ApertureOptions options;

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
  std::vector<torch::Tensor> read_by_pullback(const Pass& /*pass*/) const override { return {}; }

 private:
  torch::Tensor open_;  ///< t, float64 [window]
};

TORCH_MODULE(Aperture);

}  // namespace optotorch
