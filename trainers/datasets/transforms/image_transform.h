#pragma once

#include <optotorch/trainers/datasets/transforms/transform.h>
#include <torch/data/transforms/tensor.h>

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace optotorch::transforms {

/// A transform for LibTorch's data sets:
///
///     auto set = MNIST("data").map(ImageTransform(RandomRotation(15))).map(torch::data::transforms::Stack<>());
class ImageTransform : public torch::data::transforms::TensorTransform<> {
 public:
  /// Throws c10::ValueError for a pointer to none. Random numbers come from `random`, or from LibTorch's
  /// default generator.
  explicit ImageTransform(std::shared_ptr<const transforms::Transform> transform,
                          std::optional<at::Generator> random = std::nullopt);

  /// Takes the transform as a value.
  template <typename Own>
  requires std::is_base_of_v<transforms::Transform, std::decay_t<Own>>
  explicit ImageTransform(Own&& transform, std::optional<at::Generator> random = std::nullopt)
      : ImageTransform(std::make_shared<const std::decay_t<Own>>(std::forward<Own>(transform)),
                       std::move(random)) {}

  /// Builds the transform from its description; throws as build_transform does (describe_transform.h).
  explicit ImageTransform(const std::string& json, std::optional<at::Generator> random = std::nullopt);

  /// Applies the transform; throws as Transform::apply does.
  at::Tensor operator()(at::Tensor image) override { return transform_->apply(image, random_); }

  /// The transform that it applies, never null.
  const std::shared_ptr<const transforms::Transform>& transform() const { return transform_; }

 private:
  std::shared_ptr<const transforms::Transform> transform_;
  std::optional<at::Generator> random_;
};

}  // namespace optotorch::transforms
