#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/cifar10.h>
#include <optotorch/trainers/datasets/cifar100.h>
#include <optotorch/trainers/datasets/emnist.h>
#include <optotorch/trainers/datasets/fake_data.h>
#include <optotorch/trainers/datasets/fashion_mnist.h>
#include <optotorch/trainers/datasets/fer2013.h>
#include <optotorch/trainers/datasets/kmnist.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <optotorch/trainers/datasets/mnist.h>
#include <optotorch/trainers/datasets/qmnist.h>
#include <optotorch/trainers/datasets/semeion.h>
#include <optotorch/trainers/datasets/split.h>
#include <optotorch/trainers/datasets/stl10.h>
#include <optotorch/trainers/datasets/svhn.h>
#include <optotorch/trainers/datasets/usps.h>

#include <utility>

namespace optotorch {
namespace {

using Mode = ImageSet::Mode;
using LoadImageSet = ImageSet (*)(const std::string& root, Mode mode);

template <typename Set>
ImageSet load_as(const std::string& root, Mode mode) {
  return Set(root, mode);
}

template <EMNIST::Split split>
ImageSet load_emnist(const std::string& root, Mode mode) {
  return EMNIST(root, split, mode);
}

ImageSet load_coarse(const std::string& root, Mode mode) {
  return CIFAR100(root, CIFAR100::Labels::coarse, mode);
}

ImageSet load_semeion(const std::string& root, Mode mode) {
  constexpr double tested = 0.2;
  const auto parts = split(SEMEION(root), tested, 0);
  return mode == Mode::train ? parts.training : parts.validation;
}

ImageSet load_fake_data(const std::string& /*root*/, Mode mode) {
  constexpr int64_t size = 1000;
  return FakeData(
      FakeDataOptions().size(size).image_size({1, 28, 28}).random_offset(mode == Mode::train ? 0 : size));
}

const std::vector<std::pair<std::string, LoadImageSet>>& known_image_sets() {
  using Split = EMNIST::Split;
  static const std::vector<std::pair<std::string, LoadImageSet>> known = {
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
      {"cifar10", load_as<CIFAR10>},
      {"cifar100", load_as<CIFAR100>},
      {"cifar100-coarse", load_coarse},
      {"svhn", load_as<SVHN>},
      {"stl10", load_as<STL10>},
      {"usps", load_as<USPS>},
      {"semeion", load_semeion},
      {"fer2013", load_as<FER2013>},
      {"fake-data", load_fake_data},
  };
  return known;
}

}  // namespace

std::vector<std::string> image_set_names() {
  std::vector<std::string> names;
  for (const auto& [name, load] : known_image_sets()) {
    names.push_back(name);
  }
  return names;
}

ImageSet load_image_set(const std::string& name, const std::string& root, ImageSet::Mode mode) {
  for (const auto& [known, load] : known_image_sets()) {
    if (known == name) {
      ImageSet set = load(root, mode);
      OPTOTORCH_CHECK(set.labelled(), .where = set.name(), .argument = "targets",
                      .expected = "a label for every image", .got = "images without one",
                      .remedy = name == "fer2013" ? "test.csv has none: get icml_face_data.csv" : "");
      return set;
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
