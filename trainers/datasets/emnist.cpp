#include <optotorch/trainers/datasets/emnist.h>
#include <optotorch/trainers/datasets/idx_image_set.h>

#include <string_view>
#include <vector>

namespace optotorch {
namespace {

std::vector<std::string> characters(std::string_view all) {
  std::vector<std::string> names;
  for (const char character : all) {
    names.emplace_back(1, character);
  }
  return names;
}

std::vector<std::string> emnist_class_names(EMNIST::Split split) {
  switch (split) {
    case EMNIST::Split::byclass:
      return characters("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    case EMNIST::Split::bymerge:
    case EMNIST::Split::balanced:
      return characters("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt");
    case EMNIST::Split::letters: {
      auto names = characters("abcdefghijklmnopqrstuvwxyz");
      names.insert(names.begin(), "N/A");
      return names;
    }
    case EMNIST::Split::digits:
    case EMNIST::Split::mnist:
      break;
  }
  return characters("0123456789");
}

IdxImageFiles emnist_files(EMNIST::Split split, ImageSet::Mode mode) {
  const std::string part = mode == ImageSet::Mode::train ? "train" : "test";
  const std::string stem = "emnist-" + to_string(split) + "-" + part;
  return {.data_set = "EMNIST",
          .images = stem + "-images-idx3-ubyte",
          .labels = stem + "-labels-idx1-ubyte",
          .class_names = emnist_class_names(split),
          .download = "torchvision.datasets.EMNIST(root, split='" + to_string(split) + "', download=True)",
          .first_label = split == EMNIST::Split::letters ? 1 : 0};
}

}  // namespace

EMNIST::EMNIST(const std::string& root, Split split, Mode mode)
    : ImageSet(read_idx_image_set(root, emnist_files(split, mode))) {}

std::string to_string(EMNIST::Split split) {
  switch (split) {
    case EMNIST::Split::byclass:
      return "byclass";
    case EMNIST::Split::bymerge:
      return "bymerge";
    case EMNIST::Split::balanced:
      return "balanced";
    case EMNIST::Split::letters:
      return "letters";
    case EMNIST::Split::digits:
      return "digits";
    case EMNIST::Split::mnist:
      break;
  }
  return "mnist";
}

}  // namespace optotorch
