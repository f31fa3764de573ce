#include <optotorch/trainers/model_device.h>

namespace optotorch {

torch::Device device_of(const torch::nn::Module& model) {
  if (const auto parameters = model.parameters(); !parameters.empty()) {
    return parameters.front().device();
  }
  const auto buffers = model.buffers();
  return buffers.empty() ? torch::Device(torch::kCPU) : buffers.front().device();
}

Batch on_device_of(const torch::nn::Module& model, const Batch& batch) {
  const auto device = device_of(model);
  return {batch.data.to(device), batch.target.defined() ? batch.target.to(device) : batch.target};
}

}  // namespace optotorch
