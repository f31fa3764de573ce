#pragma once

#include <ATen/core/grad_mode.h>
#include <torch/nn/module.h>

#include <utility>
#include <vector>

namespace optotorch {

/// Gives a module's buffers (running statistics, counts of noisy passes) back their values at the end of the
/// scope: a measurement on the side leaves no trace in the run.
class KeptBuffers {
 public:
  explicit KeptBuffers(torch::nn::Module& module) {
    for (const auto& buffer : module.buffers()) {
      kept_.emplace_back(buffer, buffer.detach().clone());
    }
  }
  KeptBuffers(const KeptBuffers&) = delete;
  KeptBuffers& operator=(const KeptBuffers&) = delete;
  ~KeptBuffers() {
    const at::NoGradGuard no_grad;
    for (auto& [buffer, value] : kept_) {
      buffer.copy_(value);
    }
  }

 private:
  std::vector<std::pair<torch::Tensor, torch::Tensor>> kept_;
};

}  // namespace optotorch
