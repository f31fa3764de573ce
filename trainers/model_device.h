#pragma once

#include <optotorch/trainers/batch_source.h>
#include <torch/nn/module.h>

namespace optotorch {

/// Device of a model's parameters and buffers: that of the first of them, the CPU for one that has none.
torch::Device device_of(const torch::nn::Module& model);

/// The batch where the model is; itself if it is there.
Batch on_device_of(const torch::nn::Module& model, const Batch& batch);

}  // namespace optotorch
