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
using Load = ImageSetPair (*)(const std::string& root);

template <typename Set>
ImageSetPair both(const std::string& root) {
  return {Set(root, Mode::train), Set(root, Mode::test)};
}

template <EMNIST::Split split>
ImageSetPair both_of(const std::string& root) {
  return {EMNIST(root, split, Mode::train), EMNIST(root, split, Mode::test)};
}

const std::vector<std::pair<std::string, Load>>& known_sets() {
  using Split = EMNIST::Split;
  static const std::vector<std::pair<std::string, Load>> known = {
      {"mnist", both<MNIST>},
      {"fashion-mnist", both<FashionMNIST>},
      {"kmnist", both<KMNIST>},
      {"emnist-byclass", both_of<Split::byclass>},
      {"emnist-bymerge", both_of<Split::bymerge>},
      {"emnist-balanced", both_of<Split::balanced>},
      {"emnist-letters", both_of<Split::letters>},
      {"emnist-digits", both_of<Split::digits>},
      {"emnist-mnist", both_of<Split::mnist>},
      {"qmnist", both<QMNIST>},
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

ImageSetPair load_image_sets(const std::string& name, const std::string& root) {
  for (const auto& [known, load] : known_sets()) {
    if (known == name) {
      return load(root);
    }
  }
  const auto names = image_set_names();
  reject({.where = "load_image_sets",
          .argument = "name",
          .expected = "one of " + c10::Join(", ", names),
          .got = "'" + name + "'",
          .remedy = "The nearest is '" + nearest_name(name, names) + "'"});
}

}  // namespace optotorch
