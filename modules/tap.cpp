#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/tap.h>

namespace optotorch {
namespace {

thread_local TapScope* innermost = nullptr;

}  // namespace

TapScope::TapScope(Mode mode) : mode_(mode), outer_(innermost) {
  innermost = this;
}

TapScope::~TapScope() {
  innermost = outer_;
}

bool TapScope::is_recording() {
  return innermost != nullptr;
}

torch::Tensor tap(const torch::Tensor& x) {
  OPTOTORCH_CHECK(x.defined() && (x.is_floating_point() || x.is_complex()), .where = "tap", .argument = "x",
                  .expected = "a floating-point or complex tensor", .got = describe(x));
  OPTOTORCH_CHECK(innermost != nullptr || !torch::GradMode::is_enabled(), .where = "tap", .argument = "x",
                  .expected = "a call within a training step", .got = "one outside of any",
                  .remedy =
                      "Put the model into a Hybrid and train it by a rule, or evaluate it under "
                      "torch::NoGradGuard");
  if (innermost == nullptr || innermost->mode_ == TapScope::Mode::through) {
    return x;
  }
  innermost->taps_.push_back(x);
  return x.detach().requires_grad_();
}

}  // namespace optotorch
