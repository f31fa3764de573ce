#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/optics/detail/reading.h>
#include <optotorch/ops/photodetect.h>

#include <cmath>

namespace optotorch {

void check_noise(const std::string& where, const std::string& arguments, double shot, double thermal) {
  OPTOTORCH_CHECK(shot >= 0 && thermal >= 0 && std::isfinite(shot) && std::isfinite(thermal), .where = where,
                  .argument = arguments, .expected = "finite values >= 0",
                  .got = c10::str(shot, ", ", thermal));
}

void check_converter(const std::string& where, int64_t bits, double full_scale) {
  OPTOTORCH_CHECK(bits >= 0 && bits <= 24, .where = where, .argument = "bits",
                  .expected = "0 (any value) to 24", .got = std::to_string(bits));
  OPTOTORCH_CHECK(full_scale > 0 && std::isfinite(full_scale), .where = where, .argument = "full_scale",
                  .expected = "a finite intensity above 0", .got = c10::str(full_scale));
}

torch::Tensor noisy(const torch::Tensor& intensity, double shot, double thermal, int64_t seed, int64_t pass) {
  // The noise of light that has the amplitude sqrt(I), less the light.
  const auto amplitude = intensity.sqrt();
  const auto light = at::complex(amplitude, at::zeros_like(amplitude));
  return ops::photodetect(light, shot, thermal, seed, pass);
}

torch::Tensor converted(const torch::Tensor& intensity, int64_t bits, double full_scale) {
  if (bits == 0) {
    return intensity;
  }
  const double step = full_scale / (std::ldexp(1.0, static_cast<int>(bits)) - 1);
  return (intensity.clamp(0, full_scale) / step).round() * step;
}

}  // namespace optotorch
