#pragma once

// Transforms of images as torchvision has them: the same options, the same bits for the same seed.

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <optotorch/trainers/datasets/transforms/draws.h>

#include <memory>
#include <optional>
#include <utility>

namespace optotorch::transforms {

/// Makes an image of an image, at random or not.
///
/// An image is a tensor [C, H, W] on the CPU, uint8 from 0 to 255, or float32 or float64, mostly from 0 to 1;
/// transforms of colour want 1 or 3 channels. Transforms without options that say otherwise keep the type.
/// The input is never changed; what comes back may be the input itself or a view of it.
///
/// Results equal those of torchvision 0.28's class of that name (version 1, on tensors) to the bit, and
/// random numbers are drawn from the generator as torchvision draws them. Where floats are summed (the mean
/// in ColorJitter's contrast of float images, or of more than 65,793 pixels), this holds for the same number
/// of threads, as it does within PyTorch itself.
///
/// A transform is constant once it is made: any number of threads may apply it at once.
///
///     const auto augment = compose(RandomCrop(RandomCropOptions(32).padding({4})), RandomHorizontalFlip(),
///                                  ConvertImageDtype(), Normalize({0.5}, {0.5}));
///     torch::manual_seed(1);
///     const at::Tensor image = augment->apply(pixels);
///
/// One's own derives from OptionsTransform (or from this) and implements `transform`.
class Transform {
 public:
  Transform() = default;
  Transform(const Transform&) = default;
  Transform(Transform&&) = default;
  Transform& operator=(const Transform&) = default;
  Transform& operator=(Transform&&) = default;
  virtual ~Transform() = default;

  /// The transformed image. Random numbers come from `random`, a generator of the CPU, or from LibTorch's
  /// default one, which torch::manual_seed seeds. Builds no graph.
  ///
  /// Throws c10::ValueError for what is no image or does not suit the transform.
  at::Tensor apply(const at::Tensor& image, std::optional<at::Generator> random = std::nullopt) const;

  /// What `apply` does, for transforms that apply others: it has seen that `image` is one.
  virtual at::Tensor transform(const at::Tensor& image, Draws& draws) const = 0;
};

/// A transform that is made from options and keeps them.
template <typename Options>
class OptionsTransform : public Transform {
 public:
  /// Keeps the options; a derived class checks them.
  explicit OptionsTransform(Options options) : options_(std::move(options)) {}
  /// The options it was made from.
  const Options& options() const { return options_; }

 private:
  Options options_;
};

}  // namespace optotorch::transforms
