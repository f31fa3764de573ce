#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/electronics/slice_linear.h>

#include <cmath>

namespace optotorch {

SliceLinearImpl::SliceLinearImpl(SliceLinearOptions options_) : Cloneable("SliceLinear"), options(options_) {
  constexpr int64_t most = 1 << 24;
  for (const int64_t size : {options.slices(), options.in_features(), options.out_features()}) {
    OPTOTORCH_CHECK(size >= 1 && size <= most, .where = "SliceLinear",
                    .argument = "slices, in_features, out_features", .expected = "1 to 2^24",
                    .got = std::to_string(size));
  }
  reset();
}

void SliceLinearImpl::reset() {
  const int64_t slices = options.slices(), in = options.in_features(), out = options.out_features();
  // With torch::nn::Linear's bound, narrow relu outputs died in one run of five.
  const double bound = std::sqrt(6.0 / static_cast<double>(in + out));
  weight = register_parameter("weight", torch::empty({slices, in, out}).uniform_(-bound, bound));
  bias = register_parameter("bias", torch::empty({slices, 1, out}).uniform_(-bound, bound));
}

torch::Tensor SliceLinearImpl::forward(const torch::Tensor& x) {
  const int64_t slices = options.slices(), in = options.in_features();
  OPTOTORCH_CHECK(x.defined() && x.is_floating_point() && x.dim() == 2 && x.size(1) == slices * in,
                  .where = "SliceLinear", .argument = "input",
                  .expected = c10::str("real values [batch, ", slices, " x ", in, "]"), .got = describe(x));
  const auto each = x.reshape({-1, slices, in}).transpose(0, 1);
  return at::baddbmm(bias, each, weight).transpose(0, 1).flatten(1);
}

void SliceLinearImpl::pretty_print(std::ostream& stream) const {
  print_part(*this, stream);
}

namespace {

const RegisteredPart slice_linear_type(part_type<SliceLinearImpl>("SliceLinear", SliceLinearOptions(1, 1, 1),
                                                                  3));

}  // namespace
}  // namespace optotorch
