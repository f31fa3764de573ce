#include <ATen/ATen.h>
#include <optotorch/modules/detail/gradient_sink.h>

namespace optotorch {
namespace {

thread_local GradientSink* sink = nullptr;

}  // namespace

GradientSink::GradientSink() : outer_(sink) {
  sink = this;
}

GradientSink::~GradientSink() {
  sink = outer_;
}

GradientSink* GradientSink::innermost() {
  return sink;
}

void GradientSink::add(const torch::Tensor& parameter, const torch::Tensor& gradient) {
  auto& sum = gradients_[parameter.unsafeGetTensorImpl()];
  // Not in place: the first may be a view, or the signal itself.
  sum = sum.defined() ? sum + gradient : gradient;
}

torch::Tensor GradientSink::of(const torch::Tensor& parameter) const {
  const auto found = gradients_.find(parameter.unsafeGetTensorImpl());
  return found == gradients_.end() ? torch::Tensor() : found->second;
}

}  // namespace optotorch
