#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/electronics/standardise.h>

#include <algorithm>

namespace optotorch {

StandardiseImpl::StandardiseImpl(StandardiseOptions options_)
    : Cloneable("Standardise"), options(std::move(options_)) {
  const auto& sample = options.sample();
  OPTOTORCH_CHECK(!sample.empty() && sample.size() <= 8 &&
                      std::all_of(sample.begin(), sample.end(),
                                  [](int64_t n) { return n >= 1 && n <= (int64_t{1} << 24); }) &&
                      c10::multiply_integers(sample) <= (int64_t{1} << 24),
                  .where = "Standardise", .argument = "sample", .expected = "a shape of 1 to 2^24 numbers",
                  .got = c10::str("[", c10::Join(", ", sample), "]"));
  reset();
}

void StandardiseImpl::reset() {
  mean = register_buffer("mean", torch::zeros(options.sample()));
  deviation = register_buffer("deviation", torch::ones(options.sample()));
}

torch::Tensor StandardiseImpl::forward(const torch::Tensor& x) {
  OPTOTORCH_CHECK(x.defined() && x.is_floating_point() && x.dim() >= 1 &&
                      x.sizes().slice(1) == at::IntArrayRef(options.sample()),
                  .where = "Standardise", .argument = "input",
                  .expected = c10::str("real values [batch, ", c10::Join(", ", options.sample()), "]"),
                  .got = describe(x));
  if (watches_ && x.size(0) > 0) {
    const torch::NoGradGuard no_grad;
    auto values = x.to(torch::kFloat64);
    if (samples_ == 0) {
      origin_ = values.mean(0);
      sum_ = torch::zeros_like(origin_);
      squares_ = torch::zeros_like(origin_);
    }
    values = values - origin_;
    sum_ += values.sum(0);
    squares_ += values.square().sum(0);
    samples_ += x.size(0);
  }
  return (x - mean) / deviation;
}

void StandardiseImpl::watch(bool on) {
  watches_ = on;
  samples_ = 0;
}

void StandardiseImpl::finish() {
  watches_ = false;
  OPTOTORCH_CHECK(samples_ >= 2, .where = "Standardise", .argument = "data",
                  .expected = "at least two samples", .got = std::to_string(samples_));
  const auto count = static_cast<double>(samples_);
  const auto off = sum_ / count;
  const auto variance = (squares_ / count - off.square()).clamp_min(0);
  const auto middle = origin_ + off;
  OPTOTORCH_CHECK(variance.isfinite().all().item<bool>() && middle.isfinite().all().item<bool>(),
                  .where = "Standardise", .argument = "data", .expected = "finite values", .got = "others");
  // Rounding leaves a variance of parts of 1e-16 to what never changes.
  const auto changes = variance > 1e-14 * middle.square();
  const torch::NoGradGuard no_grad;
  mean.copy_(middle);
  deviation.copy_(torch::where(changes, variance.sqrt(), torch::ones_like(variance)));
}

void StandardiseImpl::pretty_print(std::ostream& stream) const {
  print_part(*this, stream);
}

namespace {

const RegisteredPart standardise_type(part_type<StandardiseImpl>("Standardise", StandardiseOptions({1}), 1));

}  // namespace
}  // namespace optotorch
