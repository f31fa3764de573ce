#include <optotorch/trainers/datasets/transforms/auto_augment.h>
#include <optotorch/trainers/datasets/transforms/interpolation.h>
#include <optotorch/trainers/datasets/transforms/padding_mode.h>

namespace optotorch::transforms {

const std::vector<std::string>& words(Interpolation) {
  static const std::vector<std::string> all{"nearest", "nearest-exact", "bilinear", "bicubic"};
  return all;
}

const std::vector<std::string>& words(PaddingMode) {
  static const std::vector<std::string> all{"constant", "edge", "reflect", "symmetric"};
  return all;
}

const std::vector<std::string>& words(AutoAugmentPolicy) {
  static const std::vector<std::string> all{"imagenet", "cifar10", "svhn"};
  return all;
}

}  // namespace optotorch::transforms
