#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/rules/aligned_start.h>
#include <optotorch/trainers/rules/error_projection.h>

namespace optotorch {

void align_head(torch::nn::LinearImpl& head, const DirectFeedbackOptions& options) {
  constexpr const char* where = "align_head";
  OPTOTORCH_CHECK(options.shared_rows(), .where = where, .argument = "shared_rows", .expected = "true",
                  .got = "false", .remedy = "With rows of its own the last block's lie behind all others'");
  OPTOTORCH_CHECK(options.error() == ErrorOf::output, .where = where, .argument = "error",
                  .expected = "ErrorOf::output", .got = "ErrorOf::head_input",
                  .remedy = "An error before the read-out is the true one at the last block already");
  const torch::NoGradGuard no_grad;
  const int64_t values = head.options.in_features(), errors = head.options.out_features();
  const auto sent = ErrorProjection(options).matrix(values, errors);
  head.weight.copy_(sent.t());
  if (head.bias.defined()) {
    head.bias.zero_();
  }
}

}  // namespace optotorch
