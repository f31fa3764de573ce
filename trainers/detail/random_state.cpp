#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <optotorch/trainers/detail/random_state.h>

#include <algorithm>
#include <vector>

namespace optotorch {
namespace {

/// Both parts. Of a view that begins elsewhere LibTorch would read other memory.
std::vector<torch::Tensor> parts_of(const torch::Tensor& state) {
  const int64_t size = at::detail::getDefaultCPUGenerator().get_state().numel(), all = state.numel();
  return {state.narrow(0, 0, std::min(size, all)).clone(),
          state.narrow(0, std::min(size, all), std::max<int64_t>(0, all - size)).clone()};
}

}  // namespace

torch::Tensor random_state(torch::Device device) {
  const auto here = at::detail::getDefaultCPUGenerator().get_state();
  return device.is_cpu() ? here
                         : at::cat({here, at::globalContext().defaultGenerator(device).get_state().cpu()});
}

void check_random_state(const torch::Tensor& state) {
  at::make_generator<at::CPUGeneratorImpl>().set_state(parts_of(state)[0]);
}

void set_random_state(const torch::Tensor& state, torch::Device device) {
  const auto parts = parts_of(state);
  auto here = at::detail::getDefaultCPUGenerator();
  here.set_state(parts[0]);
  if (device.is_cpu() || parts[1].numel() == 0) {
    return;
  }
  auto there = at::globalContext().defaultGenerator(device);
  if (there.get_state().numel() == parts[1].numel()) {
    there.set_state(parts[1]);
  }
}

}  // namespace optotorch
