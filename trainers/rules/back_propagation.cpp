#include <optotorch/trainers/rules/back_propagation.h>

namespace optotorch {

void BackPropagation::teach(HybridImpl& model, const std::vector<Pass>& passes, const torch::Tensor& dL_dy) {
  const auto& blocks = model.blocks();
  const size_t first = model.trainable_blocks().front().begin;
  torch::Tensor signal = dL_dy;
  for (auto block = blocks.rbegin(); block != blocks.rend() && block->begin >= first; ++block) {
    signal = model.update(*block, passes, signal, &Layer::pullback, /*to_input=*/block->begin > first);
  }
}

}  // namespace optotorch
