#include <optotorch/trainers/datasets/emnist.h>
#include <optotorch/trainers/datasets/idx_image_set.h>

#include <string_view>
#include <vector>

namespace optotorch {
namespace {

using Split = EMNIST::Split;

std::vector<std::string> characters(std::string_view all) {
  std::vector<std::string> names;
  for (const char character : all) {
    names.emplace_back(1, character);
  }
  return names;
}

std::vector<std::string> class_names(Split split) {
  switch (split) {
    case Split::byclass:
      return characters("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    case Split::bymerge:
    case Split::balanced:
      return characters("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt");
    case Split::letters: {
      auto names = characters("abcdefghijklmnopqrstuvwxyz");
      names.insert(names.begin(), "N/A");
      return names;
    }
    case Split::digits:
    case Split::mnist:
      break;
  }
  return characters("0123456789");
}

IdxImageFiles files_of(Split split, ImageSet::Mode mode) {
  const std::string part = mode == ImageSet::Mode::train ? "train" : "test";
  const std::string stem = "emnist-" + to_string(split) + "-" + part;
  return {.data_set = "EMNIST",
          .images = stem + "-images-idx3-ubyte",
          .labels = stem + "-labels-idx1-ubyte",
          .class_names = class_names(split),
          .download = "torchvision.datasets.EMNIST(root, split='" + to_string(split) + "', download=True)",
          .first_label = split == Split::letters ? 1 : 0};
}

}  // namespace

EMNIST::EMNIST(const std::string& root, Split split, Mode mode)
    : ImageSet(read_idx_image_set(root, files_of(split, mode))) {}

std::string to_string(EMNIST::Split split) {
  switch (split) {
    case Split::byclass:
      return "byclass";
    case Split::bymerge:
      return "bymerge";
    case Split::balanced:
      return "balanced";
    case Split::letters:
      return "letters";
    case Split::digits:
      return "digits";
    case Split::mnist:
      break;
  }
  return "mnist";
}

}  // namespace optotorch
