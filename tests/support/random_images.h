#pragma once

#include <ATen/ATen.h>
#include <optotorch/trainers/datasets/batches.h>
#include <support/idx_files.h>

#include <string>
#include <vector>

namespace optotorch::testing {

/// `count` images of random bytes; image i has the target i.
inline ImageSet random_images(int64_t count, int64_t channels = 1, int64_t height = 6, int64_t width = 9) {
  const auto bytes = noise(static_cast<size_t>(count * channels * height * width));
  const auto images = at::tensor(at::ArrayRef<uint8_t>(bytes), at::kByte);
  return {"random", images.view({count, channels, height, width}), at::arange(count, at::kLong),
          std::vector<std::string>(static_cast<size_t>(count), "class")};
}

struct WholeEpoch {
  at::Tensor data;
  at::Tensor target;
};

inline WholeEpoch whole(const ImageBatches& batches, int64_t epoch) {
  std::vector<at::Tensor> all_data;
  std::vector<at::Tensor> all_targets;
  for (const auto& [data, target] : batches.epoch(epoch)) {
    all_data.push_back(data);
    all_targets.push_back(target);
  }
  return {at::cat(all_data), at::cat(all_targets)};
}

inline std::vector<int64_t> values(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<int64_t>(), tensor.const_data_ptr<int64_t>() + tensor.numel()};
}

}  // namespace optotorch::testing
