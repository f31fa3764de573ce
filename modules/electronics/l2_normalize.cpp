#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/electronics/l2_normalize.h>
#include <optotorch/modules/optics/detail/or_one.h>

namespace optotorch {

// NOLINTNEXTLINE(readability-convert-member-functions-to-static): a module is called
torch::Tensor L2NormalizeImpl::forward(const torch::Tensor& x) {
  OPTOTORCH_CHECK(x.defined() && x.is_floating_point() && x.dim() == 2, .where = "L2Normalize",
                  .argument = "input", .expected = "real values [batch, values]", .got = describe(x));
  return x / or_one(x.norm(2, 1, true));
}

void L2NormalizeImpl::pretty_print(std::ostream& stream) const {
  print_part(*this, stream);
}

namespace {

const RegisteredPart l2_normalize_type(part_type<L2NormalizeImpl>("L2Normalize"));

}  // namespace
}  // namespace optotorch
