#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/idx_image_set.h>
#include <optotorch/trainers/datasets/qmnist.h>

namespace optotorch {
namespace {

using What = QMNIST::What;

std::string stem_of(What what) {
  switch (what) {
    case What::train:
      return "qmnist-train";
    case What::nist:
      return "xnist";
    default:
      return "qmnist-test";
  }
}

ImageSet read_qmnist(const std::string& root, What what) {
  const ImageSet all = read_idx_image_set(
      root, {.data_set = "QMNIST",
             .images = stem_of(what) + "-images-idx3-ubyte",
             .labels = stem_of(what) + "-labels-idx2-int",
             .class_names = digit_names(),
             .download = "torchvision.datasets.QMNIST(root, what='" + to_string(what) + "', download=True)",
             .label_columns = 8});
  if (what != What::test10k && what != What::test50k) {
    return all;
  }
  constexpr int64_t of_mnist = 10000;
  OPTOTORCH_CHECK(all.count() > of_mnist, .where = "QMNIST", .argument = "test images",
                  .expected = c10::str("more than ", of_mnist, " for '", to_string(what), "'"),
                  .got = std::to_string(all.count()), .remedy = "Use 'test', or fetch the whole file");
  const int64_t first = what == What::test10k ? 0 : of_mnist;
  const int64_t count = what == What::test10k ? of_mnist : all.count() - of_mnist;
  // Cloned, so that the images that are not wanted do not stay in memory.
  return {"QMNIST", all.images().narrow(0, first, count).clone(),
          all.targets().narrow(0, first, count).clone(), all.class_names()};
}

}  // namespace

QMNIST::QMNIST(const std::string& root, What what) : ImageSet(read_qmnist(root, what)) {}

QMNIST::QMNIST(const std::string& root, Mode mode)
    : QMNIST(root, mode == Mode::train ? What::train : What::test) {}

std::string to_string(QMNIST::What what) {
  switch (what) {
    case What::train:
      return "train";
    case What::test:
      return "test";
    case What::test10k:
      return "test10k";
    case What::test50k:
      return "test50k";
    case What::nist:
      break;
  }
  return "nist";
}

}  // namespace optotorch
