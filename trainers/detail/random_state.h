#pragma once

#include <torch/types.h>

namespace optotorch {

/// State of LibTorch's generators that layers on this device draw from, uint8: the CPU's, and behind it the device's
/// own where that is another.
torch::Tensor random_state(torch::Device device);

/// Throws c10::Error for what does not begin with a state of the CPU's generator.
void check_random_state(const torch::Tensor& state);

/// Puts it back: the CPU's part, and the device's if `state` was taken on such a device.
void set_random_state(const torch::Tensor& state, torch::Device device);

}  // namespace optotorch
