#pragma once

#include <optotorch/trainers/datasets/transforms/transform.h>

#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace optotorch::transforms {

/// Transforms, one behind the other.
using Transforms = std::vector<std::shared_ptr<const Transform>>;

/// One transform behind the other; none: the image as it is.
class Compose : public Transform {
 public:
  /// Throws c10::ValueError for a pointer to none.
  explicit Compose(Transforms transforms);
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;
  /// The transforms in the order in which they are applied.
  const Transforms& transforms() const { return transforms_; }

 private:
  Transforms transforms_;
};

/// All of its transforms, or, with probability 1 - p, none of them.
class RandomApply : public Transform {
 public:
  /// Throws c10::ValueError for a pointer to none, and unless 0 <= p <= 1.
  explicit RandomApply(Transforms transforms, double p = 0.5);
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;
  /// The transforms in the order in which they are applied.
  const Transforms& transforms() const { return transforms_; }
  /// Probability that they are applied.
  double p() const { return p_; }

 private:
  Transforms transforms_;
  double p_;
};

/// Shared transforms of values: transform_list(RandomHorizontalFlip(), Normalize(...)).
template <typename... Some>
Transforms transform_list(Some&&... some) {
  return {std::make_shared<const std::decay_t<Some>>(std::forward<Some>(some))...};
}

/// A Compose of values: compose(RandomHorizontalFlip(), Normalize(...)).
template <typename... Some>
std::shared_ptr<const Compose> compose(Some&&... some) {
  return std::make_shared<const Compose>(transform_list(std::forward<Some>(some)...));
}

}  // namespace optotorch::transforms
