#include <optotorch/trainers/datasets/fashion_mnist.h>
#include <optotorch/trainers/datasets/idx_image_set.h>

namespace optotorch {
namespace {

IdxImageFiles fashion_mnist_files(ImageSet::Mode mode) {
  auto files = classic_files("FashionMNIST", mode,
                             {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                              "Sneaker", "Bag", "Ankle boot"});
  files.download += ", or on Debian with apt install dataset-fashion-mnist";
  files.system_folder = "/usr/share/datasets/fashion-mnist";  // where that package puts them
  return files;
}

}  // namespace

FashionMNIST::FashionMNIST(const std::string& root, Mode mode)
    : ImageSet(read_idx_image_set(root, fashion_mnist_files(mode))) {}

}  // namespace optotorch
