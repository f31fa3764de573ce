#include <optotorch/trainers/datasets/idx_image_set.h>
#include <optotorch/trainers/datasets/mnist.h>

namespace optotorch {

MNIST::MNIST(const std::string& root, Mode mode)
    : ImageSet(read_idx_image_set(root, classic_files("MNIST", mode, digit_names()))) {}

}  // namespace optotorch
