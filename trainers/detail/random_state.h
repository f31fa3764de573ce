#pragma once

#include <torch/types.h>

namespace optotorch {

/// State of LibTorch's generators that layers on this device draw from, uint8: the CPU's, and behind it the device's own
/// where that is another.
torch::Tensor random_state(torch::Device device);

/// Puts it back. Throws c10::Error for what is no state.
void set_random_state(const torch::Tensor& state, torch::Device device);

}  // namespace optotorch
