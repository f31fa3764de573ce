#pragma once

#include <ATen/core/grad_mode.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <vector>

namespace optotorch {

/// Gives a module's buffers back their values at the end of the scope: what is run on the side leaves no
/// trace in the run.
///
/// Their autograd versions are given back too: batch norm saves its running statistics for its backward,
/// which LibTorch would refuse after our writing to them, though they hold the same values again.
class KeptBuffers {
 public:
  enum class Which {
    all,
    floating,  ///< running statistics; counters go on, so that noise is never drawn twice
  };

  explicit KeptBuffers(torch::nn::Module& module, Which which = Which::all) {
    for (const auto& buffer : module.buffers()) {
      if (which == Which::all || buffer.is_floating_point()) {
        kept_.push_back({buffer, buffer.detach().clone(), buffer._version()});
      }
    }
  }
  KeptBuffers(const KeptBuffers&) = delete;
  KeptBuffers& operator=(const KeptBuffers&) = delete;
  KeptBuffers(KeptBuffers&&) = delete;
  KeptBuffers& operator=(KeptBuffers&&) = delete;
  ~KeptBuffers() {
    const at::NoGradGuard no_grad;
    for (auto& [buffer, value, version] : kept_) {
      buffer.copy_(value);
      auto counter = buffer.unsafeGetTensorImpl()->version_counter();
      counter.set_version(version);
    }
  }

 private:
  struct Kept {
    torch::Tensor buffer, value;
    int64_t version;
  };
  std::vector<Kept> kept_;
};

}  // namespace optotorch
