#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <optotorch/trainers/detail/random_state.h>

namespace optotorch {

torch::Tensor random_state(torch::Device device) {
  const auto here = at::detail::getDefaultCPUGenerator().get_state();
  return device.is_cpu() ? here
                         : at::cat({here, at::globalContext().defaultGenerator(device).get_state().cpu()});
}

void set_random_state(const torch::Tensor& state, torch::Device device) {
  auto here = at::detail::getDefaultCPUGenerator();
  const int64_t size = here.get_state().numel();
  // Of a view that begins elsewhere LibTorch reads other memory.
  here.set_state(state.narrow(0, 0, size).clone());
  if (!device.is_cpu()) {
    auto there = at::globalContext().defaultGenerator(device);
    there.set_state(state.narrow(0, size, state.numel() - size).clone());
  }
}

}  // namespace optotorch
