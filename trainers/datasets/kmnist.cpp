#include <optotorch/trainers/datasets/idx_image_set.h>
#include <optotorch/trainers/datasets/kmnist.h>

namespace optotorch {

KMNIST::KMNIST(const std::string& root, Mode mode)
    : ImageSet(read_idx_image_set(
          root,
          classic_files("KMNIST", mode, {"o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"}))) {}

}  // namespace optotorch
