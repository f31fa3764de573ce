#include <optotorch/modules/detail/deployed_check.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/jit.h>

namespace optotorch {

void check_when_deployed(const torch::Tensor& x, const std::string& holds, const std::string& layer,
                         const std::string& expected) {
  namespace jit = torch::jit;
  const auto& state = jit::tracer::getTracingState();
  if (!state) {
    return;
  }
  const auto unit =
      jit::compile(c10::str("def check(input: Tensor):\n  assert ", holds, ", '", layer, ": input: expected ",
                            expected, ", got {}'.format(input.size())\n"));
  const auto check = jit::toGraphFunction(unit->get_function("check")).graph();
  jit::insertGraph(*state->graph, *check, {jit::tracer::getValueTrace(x)});
}

}  // namespace optotorch
