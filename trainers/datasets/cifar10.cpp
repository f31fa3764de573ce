#include <optotorch/trainers/datasets/cifar10.h>
#include <optotorch/trainers/datasets/detail/cifar_files.h>
#include <optotorch/trainers/datasets/detail/set_files.h>

namespace optotorch {
namespace {

CifarFiles cifar10_files(ImageSet::Mode mode) {
  CifarFiles files{.data_set = "CIFAR10",
                   .python_folder = "cifar-10-batches-py",
                   .binary_folder = "cifar-10-batches-bin",
                   .python_archive = "cifar-10-python.tar.gz",
                   .binary_archive = "cifar-10-binary.tar.gz",
                   .batches = {"test_batch"},
                   .meta = "batches.meta",
                   .names = "batches.meta.txt",
                   .label_key = "labels",
                   .name_key = "label_names",
                   .label_bytes = 1,
                   .label_byte = 0};
  if (mode == ImageSet::Mode::train) {
    files.batches = {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"};
  }
  return files;
}

}  // namespace

CIFAR10::CIFAR10(const std::string& root, Mode mode) : ImageSet(read_cifar(root, cifar10_files(mode))) {}

void CIFAR10::verify(const std::string& root) {
  const std::string remedy = "Get them with torchvision.datasets.CIFAR10(root, download=True)";
  const std::vector<PublishedSum> sums = {{"data_batch_1", "c99cafc152244af753f735de768cd75f"},
                                          {"data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"},
                                          {"data_batch_3", "54ebc095f3ab1f0389bbae665268c751"},
                                          {"data_batch_4", "634d18415352ddfa80567beed471001a"},
                                          {"data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"},
                                          {"test_batch", "40351d587109b95175f43aff81a1287e"},
                                          {"batches.meta", "5ff9c542aee3614f3951f8cda6e48888"}};
  verify_set("CIFAR10", root, {"cifar-10-batches-py", {}, "cifar-10-python.tar.gz"}, sums, remedy);
}

}  // namespace optotorch
