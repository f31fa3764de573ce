// The reader of descriptions of transforms.

#include <optotorch/trainers/datasets/transforms/describe_transform.h>

#include <stdexcept>

#include "fuzz/fuzz.h"

namespace optotorch::fuzz {
namespace {

int transform(const uint8_t* data, size_t size) {
  return attempt([&] {
    const auto made = transforms::build_transform(std::string(text_of(data, size)));
    const auto said = transforms::describe_transform(*made);
    if (transforms::describe_transform(*transforms::build_transform(said)) != said) {
      throw std::logic_error("a transform that does not come back");
    }
  });
}

std::vector<std::string> transform_seeds() {
  return {
      R"([{"type": "RandomCrop", "size": [32, 32], "padding": 4}, {"type": "RandomHorizontalFlip", "p": 0.5}])",
      R"([{"type": "ConvertImageDtype", "dtype": "float32"}, {"type": "Normalize", "mean": [0.5], "std": [0.25]}])",
      R"({"type": "RandomApply", "p": 0.3, "transforms": [{"type": "ColorJitter", "hue": [-0.1, 0.1]}]})",
      R"({"type": "RandomResizedCrop", "size": 8, "scale": [0.1, 1], "ratio": [0.5, 2], "interpolation": "bicubic"})",
      R"({"type": "RandAugment", "num_ops": 2, "magnitude": 9, "num_magnitude_bins": 31, "fill": [1, 2, 3]})",
      R"({"type": "RandomAffine", "degrees": 5, "translate": [0.1, 0.2], "scale": [0.5, 2], "shear": [1, 2, 3, 4]})"};
}

const Registered transform_target({"transform",
                                   transform,
                                   transform_seeds,
                                   {"\"type\"",
                                    "Compose",
                                    "RandomApply",
                                    "transforms",
                                    "Resize",
                                    "max_size",
                                    "Pad",
                                    "padding_mode",
                                    "reflect",
                                    "GaussianBlur",
                                    "kernel_size",
                                    "TrivialAugmentWide",
                                    "AutoAugment",
                                    "svhn",
                                    "RandomErasing",
                                    "1e999",
                                    "-1",
                                    "1e-320",
                                    "9223372036854775807",
                                    "null",
                                    "[]",
                                    "{}"}});

}  // namespace
}  // namespace optotorch::fuzz
