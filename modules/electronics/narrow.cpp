#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/electronics/narrow.h>

namespace optotorch {

NarrowImpl::NarrowImpl(NarrowOptions options_) : Cloneable("Narrow"), options(options_) {
  constexpr int64_t most = 1 << 24;
  OPTOTORCH_CHECK(options.length() >= 1 && options.length() <= most && options.start() >= 0 &&
                      options.start() <= most && options.step() >= 1 && options.step() <= most,
                  .where = "Narrow", .argument = "length, start, step",
                  .expected = "length and step from 1, start from 0, at most 2^24",
                  .got = c10::str(options.length(), ", ", options.start(), ", ", options.step()));
}

torch::Tensor NarrowImpl::forward(const torch::Tensor& x) {
  const int64_t end = options.start() + (options.length() - 1) * options.step() + 1;
  OPTOTORCH_CHECK(x.defined() && x.dim() >= 2 && x.size(1) >= end, .where = "Narrow", .argument = "input",
                  .expected = c10::str("[batch, values, ...] with at least ", end, " values"),
                  .got = describe(x));
  return x.slice(1, options.start(), end, options.step());
}

void NarrowImpl::pretty_print(std::ostream& stream) const {
  print_part(*this, stream);
}

namespace {

const RegisteredPart narrow_type(part_type<NarrowImpl>("Narrow", NarrowOptions(1), 1));

}  // namespace
}  // namespace optotorch
