#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/emnist.h>
#include <optotorch/trainers/datasets/fashion_mnist.h>
#include <optotorch/trainers/datasets/kmnist.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <optotorch/trainers/datasets/mnist.h>
#include <optotorch/trainers/datasets/qmnist.h>

#include <utility>

namespace optotorch {
namespace {

using Mode = ImageSet::Mode;
using Load = ImageSet (*)(const std::string& root, Mode mode);

template <typename Set>
ImageSet load_as(const std::string& root, Mode mode) {
  return Set(root, mode);
}

template <EMNIST::Split split>
ImageSet load_emnist(const std::string& root, Mode mode) {
  return EMNIST(root, split, mode);
}

const std::vector<std::pair<std::string, Load>>& known_sets() {
  using Split = EMNIST::Split;
  static const std::vector<std::pair<std::string, Load>> known = {
      {"mnist", load_as<MNIST>},
      {"fashion-mnist", load_as<FashionMNIST>},
      {"kmnist", load_as<KMNIST>},
      {"emnist-byclass", load_emnist<Split::byclass>},
      {"emnist-bymerge", load_emnist<Split::bymerge>},
      {"emnist-balanced", load_emnist<Split::balanced>},
      {"emnist-letters", load_emnist<Split::letters>},
      {"emnist-digits", load_emnist<Split::digits>},
      {"emnist-mnist", load_emnist<Split::mnist>},
      {"qmnist", load_as<QMNIST>},
  };
  return known;
}

}  // namespace

std::vector<std::string> image_set_names() {
  std::vector<std::string> names;
  for (const auto& [name, load] : known_sets()) {
    names.push_back(name);
  }
  return names;
}

ImageSet load_image_set(const std::string& name, const std::string& root, ImageSet::Mode mode) {
  for (const auto& [known, load] : known_sets()) {
    if (known == name) {
      return load(root, mode);
    }
  }
  const auto names = image_set_names();
  const auto nearest = nearest_name(name, names);
  reject({.where = "load_image_set",
          .argument = "name",
          .expected = "one of " + c10::Join(", ", names),
          .got = "'" + name + "'",
          .remedy = nearest.empty() ? "" : "Did you mean '" + nearest + "'?"});
}

ImageSetPair load_image_sets(const std::string& name, const std::string& root) {
  return {load_image_set(name, root, Mode::train), load_image_set(name, root, Mode::test)};
}

}  // namespace optotorch
