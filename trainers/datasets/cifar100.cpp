#include <optotorch/trainers/datasets/cifar100.h>
#include <optotorch/trainers/datasets/detail/cifar_files.h>
#include <optotorch/trainers/datasets/detail/set_files.h>

namespace optotorch {
namespace {

CifarFiles cifar100_files(CIFAR100::Labels labels, ImageSet::Mode mode) {
  const bool fine = labels == CIFAR100::Labels::fine;
  const std::string kind = fine ? "fine" : "coarse";
  return {.data_set = "CIFAR100",
          .python_folder = "cifar-100-python",
          .binary_folder = "cifar-100-binary",
          .python_archive = "cifar-100-python.tar.gz",
          .binary_archive = "cifar-100-binary.tar.gz",
          .batches = {mode == ImageSet::Mode::train ? "train" : "test"},
          .meta = "meta",
          .names = kind + "_label_names.txt",
          .label_key = kind + "_labels",
          .name_key = kind + "_label_names",
          .label_bytes = 2,
          .label_byte = fine ? size_t{1} : size_t{0}};
}

}  // namespace

CIFAR100::CIFAR100(const std::string& root, Labels labels, Mode mode)
    : ImageSet(read_cifar(root, cifar100_files(labels, mode))) {}

CIFAR100::CIFAR100(const std::string& root, Mode mode) : CIFAR100(root, Labels::fine, mode) {}

void CIFAR100::verify(const std::string& root) {
  const std::string remedy = "Get them with torchvision.datasets.CIFAR100(root, download=True)";
  const std::vector<PublishedSum> sums = {{"train", "16019d7e3df5f24257cddd939b257f8d"},
                                          {"test", "f0ef6b0ae62326f3e7ffdfab6717acfc"},
                                          {"meta", "7973b15100ade9c7d40fb424638fde48"}};
  verify_set("CIFAR100", root, {"cifar-100-python", {}, "cifar-100-python.tar.gz"}, sums, remedy);
}

}  // namespace optotorch
