#include <ATen/ATen.h>
#include <ATen/record_function.h>
#include <c10/util/ScopeExit.h>
#include <optotorch/modules/detail/multiply_adds.h>

#include <memory>
#include <string>

namespace optotorch {
namespace {

using Inputs = c10::ArrayRef<const c10::IValue>;

int64_t of_matrices(const at::Tensor& a, const at::Tensor& b) {
  return a.numel() * b.size(-1);  // [.., n, k] x [.., k, m]
}

/// Scores and the weighted mean: [batch, heads, queries, width] twice over all keys.
int64_t of_attention(Inputs inputs) {
  const auto query = inputs[0].toTensor(), key = inputs[1].toTensor(), value = inputs[2].toTensor();
  return query.numel() * key.size(-2) + query.numel() / query.size(-1) * key.size(-2) * value.size(-1);
}

int64_t of_call(const std::string& name, Inputs inputs) {
  if (name == "aten::mm" || name == "aten::bmm") {
    return of_matrices(inputs[0].toTensor(), inputs[1].toTensor());
  }
  if (name == "aten::addmm" || name == "aten::baddbmm" || name == "aten::addbmm" ||
      name == "aten::_addmm_activation") {
    return of_matrices(inputs[1].toTensor(), inputs[2].toTensor());
  }
  if (name == "aten::mv" || name == "aten::dot") {
    return inputs[0].toTensor().numel();
  }
  if (name == "aten::addmv") {
    return inputs[1].toTensor().numel();
  }
  if (name == "aten::_scaled_dot_product_flash_attention_for_cpu") {
    return of_attention(inputs);
  }
  return 0;
}

/// A convolution: every output, or input of a transposed one, meets a kernel. Inputs are known before the call alone,
/// outputs behind it.
struct ConvolutionCall : at::ObserverContext {
  ConvolutionCall(int64_t kernel, int64_t inputs) : kernel(kernel), inputs(inputs) {}
  int64_t kernel, inputs;  ///< the latter 0 unless it is transposed
};

/// A callback is a function without a context.
int64_t& counted() {
  thread_local int64_t count = 0;
  return count;
}

std::unique_ptr<at::ObserverContext> before(const at::RecordFunction& call) {
  const std::string name = call.name();
  const auto inputs = call.inputs();
  counted() += of_call(name, inputs);
  if (name != "aten::convolution") {
    return nullptr;
  }
  const auto input = inputs[0].toTensor(), weight = inputs[1].toTensor();
  const bool transposed = inputs[6].toBool();
  return std::make_unique<ConvolutionCall>(weight.numel() / weight.size(0), transposed ? input.numel() : 0);
}

void behind(const at::RecordFunction& call, at::ObserverContext* context) {
  if (const auto* const convolution = static_cast<ConvolutionCall*>(context);
      convolution != nullptr && !call.outputs().empty()) {  // it may have thrown
    const int64_t times =
        convolution->inputs > 0 ? convolution->inputs : call.outputs().front().toTensor().numel();
    counted() += times * convolution->kernel;
  }
}

}  // namespace

int64_t multiply_adds_of(const std::function<void()>& work) {
  counted() = 0;
  const auto handle = at::addThreadLocalCallback(at::RecordFunctionCallback(before, behind)
                                                     .needsInputs(true)
                                                     .needsOutputs(true)
                                                     .scopes({at::RecordScope::FUNCTION}));
  const auto remove = c10::make_scope_exit([handle] { at::removeCallback(handle); });
  work();
  return counted();
}

}  // namespace optotorch
