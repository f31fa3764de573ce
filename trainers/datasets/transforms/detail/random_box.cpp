#include <ATen/ATen.h>
#include <optotorch/trainers/datasets/transforms/detail/random_box.h>

#include <cmath>

namespace optotorch::transforms {

std::vector<double> log_of(const std::vector<double>& ratio) {
  const at::Tensor logs = at::log(at::tensor(ratio, at::kFloat));
  return {logs[0].item<float>(), logs[1].item<float>()};
}

RandomSides random_sides(int64_t pixels, const std::vector<double>& scale,
                         const std::vector<double>& log_ratio, Draws& draws) {
  const double area = static_cast<double>(pixels) * draws.uniform(scale[0], scale[1]);
  const double exponent = draws.uniform(log_ratio[0], log_ratio[1]);
  // LibTorch's exp: that of the C library rounds some values otherwise.
  const double aspect = at::exp(at::tensor({static_cast<float>(exponent)})).item<float>();
  return {static_cast<int64_t>(std::nearbyint(std::sqrt(area * aspect))),
          static_cast<int64_t>(std::nearbyint(std::sqrt(area / aspect)))};
}

}  // namespace optotorch::transforms
