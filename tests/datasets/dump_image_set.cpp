// dump_image_set NAME ROOT PART FILE: writes `images` and `targets` of a data set to FILE, as safetensors, with
// the names of its classes as metadata "classes", a list in JSON, to be compared with torchvision's. Prints the
// seconds that reading took.
//
// PART: train, test, or what else the set's class knows: "extra", "train+unlabeled", "train:3" for a fold.

#include <ATen/core/Tensor.h>
#include <optotorch/core/safetensors.h>
#include <optotorch/trainers/datasets/cifar100.h>
#include <optotorch/trainers/datasets/fake_data.h>
#include <optotorch/trainers/datasets/fer2013.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <optotorch/trainers/datasets/semeion.h>
#include <optotorch/trainers/datasets/stl10.h>
#include <optotorch/trainers/datasets/svhn.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using optotorch::ImageSet;

ImageSet load_stl10(const std::string& root, std::string part) {
  using Split = optotorch::STL10::Split;
  std::optional<int64_t> fold;
  if (const auto colon = part.find(':'); colon != std::string::npos) {
    fold = std::stoll(part.substr(colon + 1));
    part.resize(colon);
  }
  for (const auto split : {Split::train, Split::test, Split::unlabeled, Split::train_unlabeled}) {
    if (to_string(split) == part) {
      return optotorch::STL10(root, split, fold);
    }
  }
  throw std::invalid_argument(part);
}

ImageSet load(const std::string& name, const std::string& root, const std::string& part) {
  const auto mode = part == "train" ? ImageSet::Mode::train : ImageSet::Mode::test;
  if (name == "stl10") {
    return load_stl10(root, part);
  }
  if (name == "svhn" && part == "extra") {
    return optotorch::SVHN(root, optotorch::SVHN::Split::extra);
  }
  if (name == "semeion") {
    return optotorch::SEMEION(root);
  }
  if (name == "fer2013") {
    return optotorch::FER2013(root, mode);
  }
  if (name == "fake-data") {
    return optotorch::FakeData(optotorch::FakeDataOptions()
                                   .size(20)
                                   .image_size({3, 40, 30})
                                   .num_classes(7)
                                   .random_offset(part == "train" ? 0 : 1000));
  }
  return optotorch::load_image_set(name, root, mode);
}

std::string json_list(const std::vector<std::string>& names) {
  std::string list = "[";
  for (const auto& name : names) {
    list += list.size() > 1 ? ", \"" : "\"";
    for (const char c : name) {
      list += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    }
    list += '"';
  }
  return list + "]";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fputs("usage: dump_image_set NAME ROOT PART FILE\n", stderr);
    return 2;
  }
  try {
    const auto begin = std::chrono::steady_clock::now();
    const auto set = load(argv[1], argv[2], argv[3]);
    std::printf("%.3f\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    optotorch::save_safetensors(argv[4], {{{"images", set.images().contiguous()}, {"targets", set.targets()}},
                                          {{"classes", json_list(set.class_names())}}});
  } catch (const std::exception& error) {
    std::fputs(error.what(), stderr);
    return 1;
  }
}
