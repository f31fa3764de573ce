#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/projectors/ternary_frames.h>

#include <cmath>

namespace optotorch {

TernaryFrames::TernaryFrames(TernaryFramesOptions options_) : options(options_) {
  const bool relative = options.threshold() == Threshold::rms;
  const double most = relative ? 4 : 1;
  OPTOTORCH_CHECK(std::isfinite(options.level()) && options.level() >= 0 && options.level() <= most,
                  .where = "TernaryFrames", .argument = "level",
                  .expected = c10::str("0 to ", most, relative ? " (rms)" : " (absolute)"),
                  .got = c10::str(options.level()), .remedy = "No value would pass, or no zero");
  OPTOTORCH_CHECK(options.frames() >= 1 && options.frames() <= 16, .where = "TernaryFrames",
                  .argument = "frames", .expected = "1 to 16", .got = c10::str(options.frames()));
}

std::vector<TernaryFrame> TernaryFrames::encode(const torch::Tensor& e) const {
  OPTOTORCH_CHECK(e.defined() && e.dim() == 2 && e.is_floating_point(), .where = "TernaryFrames",
                  .argument = "e", .expected = "real [batch, columns]", .got = describe(e));
  check_finite("TernaryFrames", "e", e);
  const torch::NoGradGuard no_grad;
  std::vector<TernaryFrame> frames;
  auto rest = e;
  for (int64_t f = 0; f < options.frames(); ++f) {
    at::Tensor positive, negative;
    if (options.threshold() == Threshold::rms) {
      const auto t = rest.square().mean(1, /*keepdim=*/true).sqrt().mul_(options.level());
      positive = rest.gt(t);
      negative = rest.lt(-t);
    } else {
      positive = rest.gt(options.level());
      negative = rest.lt(-options.level());
    }
    const auto q = positive.to(at::kChar).sub_(negative.to(at::kChar));
    const auto values = q.to(e.scalar_type());
    const auto shown = values.abs().sum(1, /*keepdim=*/true);
    const auto gain = options.gain() ? (values * rest).sum(1, /*keepdim=*/true).div_(shown.clamp_min(1))
                                     : shown.gt(0).to(e.scalar_type());
    frames.push_back({q, gain});
    rest = rest - gain * values;
  }
  return frames;
}

}  // namespace optotorch
