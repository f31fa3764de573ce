#pragma once

// A device that LibTorch's CPU build knows by name alone: its tensors are in ordinary memory, but an operator meets
// them by the device's own dispatch key. There OptoTorch has no kernel, so its reference faces serve, and a tensor of
// the CPU that slips in beside those of the device is an error, as on a GPU. other_device_test.cpp is the device.

#include <c10/core/DeviceType.h>

namespace optotorch::testing {

constexpr auto other_device =
    c10::DeviceType::HPU;  // of those that Module::to() takes, one that no wheel has kernels for

}  // namespace optotorch::testing
