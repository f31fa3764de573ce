#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/transformer/token_mean.h>

namespace optotorch {

// NOLINTNEXTLINE(readability-convert-member-functions-to-static): a module is called
torch::Tensor TokenMeanImpl::forward(const torch::Tensor& x) {
  OPTOTORCH_CHECK(x.defined() && x.is_floating_point() && x.dim() == 3 && x.size(1) >= 1,
                  .where = "TokenMean", .argument = "input", .expected = "real values [batch, tokens, width]",
                  .got = describe(x));
  return x.mean(1);
}

void TokenMeanImpl::pretty_print(std::ostream& stream) const {
  print_part(*this, stream);
}

namespace {

const RegisteredPart token_mean_type(part_type<TokenMeanImpl>("TokenMean"));

}  // namespace
}  // namespace optotorch
