#include <optotorch/trainers/model_device.h>

namespace optotorch {

torch::Device device_of(const torch::nn::Module& model) {
  for (const auto& tensors : {model.parameters(), model.buffers()}) {
    if (!tensors.empty()) {
      return tensors.front().device();
    }
  }
  return torch::kCPU;
}

Batch on_device_of(const torch::nn::Module& model, const Batch& batch) {
  const auto device = device_of(model);
  return {batch.data.to(device), batch.target.defined() ? batch.target.to(device) : batch.target};
}

}  // namespace optotorch
