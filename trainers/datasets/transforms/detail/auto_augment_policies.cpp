#include <optotorch/trainers/datasets/transforms/detail/augmentation_space.h>

namespace optotorch::transforms {
namespace {

using Pairs = std::vector<std::array<Step, 2>>;

/// ImageNet: arXiv:1805.09501, appendix.
const Pairs& imagenet() {
  using enum Operation;
  static const Pairs all{
      {{Step{posterize, 0.4F, 8}, Step{rotate, 0.6F, 9}}},
      {{Step{solarize, 0.6F, 5}, Step{autocontrast, 0.6F}}},
      {{Step{equalize, 0.8F}, Step{equalize, 0.6F}}},
      {{Step{posterize, 0.6F, 7}, Step{posterize, 0.6F, 6}}},
      {{Step{equalize, 0.4F}, Step{solarize, 0.2F, 4}}},
      {{Step{equalize, 0.4F}, Step{rotate, 0.8F, 8}}},
      {{Step{solarize, 0.6F, 3}, Step{equalize, 0.6F}}},
      {{Step{posterize, 0.8F, 5}, Step{equalize, 1.0F}}},
      {{Step{rotate, 0.2F, 3}, Step{solarize, 0.6F, 8}}},
      {{Step{equalize, 0.6F}, Step{posterize, 0.4F, 6}}},
      {{Step{rotate, 0.8F, 8}, Step{color, 0.4F, 0}}},
      {{Step{rotate, 0.4F, 9}, Step{equalize, 0.6F}}},
      {{Step{equalize, 0.0F}, Step{equalize, 0.8F}}},
      {{Step{invert, 0.6F}, Step{equalize, 1.0F}}},
      {{Step{color, 0.6F, 4}, Step{contrast, 1.0F, 8}}},
      {{Step{rotate, 0.8F, 8}, Step{color, 1.0F, 2}}},
      {{Step{color, 0.8F, 8}, Step{solarize, 0.8F, 7}}},
      {{Step{sharpness, 0.4F, 7}, Step{invert, 0.6F}}},
      {{Step{shear_x, 0.6F, 5}, Step{equalize, 1.0F}}},
      {{Step{color, 0.4F, 0}, Step{equalize, 0.6F}}},
      {{Step{equalize, 0.4F}, Step{solarize, 0.2F, 4}}},
      {{Step{solarize, 0.6F, 5}, Step{autocontrast, 0.6F}}},
      {{Step{invert, 0.6F}, Step{equalize, 1.0F}}},
      {{Step{color, 0.6F, 4}, Step{contrast, 1.0F, 8}}},
      {{Step{equalize, 0.8F}, Step{equalize, 0.6F}}},
  };
  return all;
}

/// CIFAR-10: arXiv:1805.09501, appendix.
const Pairs& cifar10() {
  using enum Operation;
  static const Pairs all{
      {{Step{invert, 0.1F}, Step{contrast, 0.2F, 6}}},
      {{Step{rotate, 0.7F, 2}, Step{translate_x, 0.3F, 9}}},
      {{Step{sharpness, 0.8F, 1}, Step{sharpness, 0.9F, 3}}},
      {{Step{shear_y, 0.5F, 8}, Step{translate_y, 0.7F, 9}}},
      {{Step{autocontrast, 0.5F}, Step{equalize, 0.9F}}},
      {{Step{shear_y, 0.2F, 7}, Step{posterize, 0.3F, 7}}},
      {{Step{color, 0.4F, 3}, Step{brightness, 0.6F, 7}}},
      {{Step{sharpness, 0.3F, 9}, Step{brightness, 0.7F, 9}}},
      {{Step{equalize, 0.6F}, Step{equalize, 0.5F}}},
      {{Step{contrast, 0.6F, 7}, Step{sharpness, 0.6F, 5}}},
      {{Step{color, 0.7F, 7}, Step{translate_x, 0.5F, 8}}},
      {{Step{equalize, 0.3F}, Step{autocontrast, 0.4F}}},
      {{Step{translate_y, 0.4F, 3}, Step{sharpness, 0.2F, 6}}},
      {{Step{brightness, 0.9F, 6}, Step{color, 0.2F, 8}}},
      {{Step{solarize, 0.5F, 2}, Step{invert, 0.0F}}},
      {{Step{equalize, 0.2F}, Step{autocontrast, 0.6F}}},
      {{Step{equalize, 0.2F}, Step{equalize, 0.6F}}},
      {{Step{color, 0.9F, 9}, Step{equalize, 0.6F}}},
      {{Step{autocontrast, 0.8F}, Step{solarize, 0.2F, 8}}},
      {{Step{brightness, 0.1F, 3}, Step{color, 0.7F, 0}}},
      {{Step{solarize, 0.4F, 5}, Step{autocontrast, 0.9F}}},
      {{Step{translate_y, 0.9F, 9}, Step{translate_y, 0.7F, 9}}},
      {{Step{autocontrast, 0.9F}, Step{solarize, 0.8F, 3}}},
      {{Step{equalize, 0.8F}, Step{invert, 0.1F}}},
      {{Step{translate_y, 0.7F, 9}, Step{autocontrast, 0.9F}}},
  };
  return all;
}

/// SVHN: arXiv:1805.09501, appendix.
const Pairs& svhn() {
  using enum Operation;
  static const Pairs all{
      {{Step{shear_x, 0.9F, 4}, Step{invert, 0.2F}}},
      {{Step{shear_y, 0.9F, 8}, Step{invert, 0.7F}}},
      {{Step{equalize, 0.6F}, Step{solarize, 0.6F, 6}}},
      {{Step{invert, 0.9F}, Step{equalize, 0.6F}}},
      {{Step{equalize, 0.6F}, Step{rotate, 0.9F, 3}}},
      {{Step{shear_x, 0.9F, 4}, Step{autocontrast, 0.8F}}},
      {{Step{shear_y, 0.9F, 8}, Step{invert, 0.4F}}},
      {{Step{shear_y, 0.9F, 5}, Step{solarize, 0.2F, 6}}},
      {{Step{invert, 0.9F}, Step{autocontrast, 0.8F}}},
      {{Step{equalize, 0.6F}, Step{rotate, 0.9F, 3}}},
      {{Step{shear_x, 0.9F, 4}, Step{solarize, 0.3F, 3}}},
      {{Step{shear_y, 0.8F, 8}, Step{invert, 0.7F}}},
      {{Step{equalize, 0.9F}, Step{translate_y, 0.6F, 6}}},
      {{Step{invert, 0.9F}, Step{equalize, 0.6F}}},
      {{Step{contrast, 0.3F, 3}, Step{rotate, 0.8F, 4}}},
      {{Step{invert, 0.8F}, Step{translate_y, 0.0F, 2}}},
      {{Step{shear_y, 0.7F, 6}, Step{solarize, 0.4F, 8}}},
      {{Step{invert, 0.6F}, Step{rotate, 0.8F, 4}}},
      {{Step{shear_y, 0.3F, 7}, Step{translate_x, 0.9F, 3}}},
      {{Step{shear_x, 0.1F, 6}, Step{invert, 0.6F}}},
      {{Step{solarize, 0.7F, 2}, Step{translate_y, 0.6F, 7}}},
      {{Step{shear_y, 0.8F, 4}, Step{invert, 0.8F}}},
      {{Step{shear_x, 0.7F, 9}, Step{translate_y, 0.8F, 3}}},
      {{Step{shear_y, 0.8F, 5}, Step{autocontrast, 0.7F}}},
      {{Step{shear_x, 0.7F, 2}, Step{invert, 0.1F}}},
  };
  return all;
}

}  // namespace

const Pairs& steps_of(AutoAugmentPolicy policy) {
  switch (policy) {
    case AutoAugmentPolicy::imagenet:
      return imagenet();
    case AutoAugmentPolicy::cifar10:
      return cifar10();
    default:
      return svhn();
  }
}

}  // namespace optotorch::transforms
