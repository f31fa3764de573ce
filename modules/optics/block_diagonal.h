#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>

#include <utility>
#include <vector>

namespace optotorch {

/// One component of a BlockDiagonal and the shape of the sample it takes, e.g. {28, 28} for 28 meshes of 28
/// ports, {64, 49} for one mesh of 49 ports that 64 patches share.
struct DiagonalBlock {
  std::shared_ptr<Layer> layer;  ///< a linear component, which no other block of the BlockDiagonal has
  std::vector<int64_t> sample;   ///< sizes of its sample, without the batch: 1 to 2^31 each

  /// Both by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("sample", sample);
    visit("layer", layer);
  }
};

/// Components side by side, as one: y = (W_1 x_1, W_2 x_2, ...). The values of a sample [batch, n] are dealt
/// out to the blocks in order, each as many as its sample shape holds, and what they deliver is joined,
/// flattened, to [batch, m].
///
///     BlockDiagonal net({{MziMesh(MziMeshOptions(28).meshes(28)).ptr(), {28, 28}},
///                        {MziMesh(49).ptr(), {64, 49}}});
///
/// Parameters are called "0.theta", "1.theta", ... A rule's signal reaches every block by its own hooks. All
/// blocks take and deliver one type: light, or electronic values.
class BlockDiagonalImpl : public Layer {
 public:
  /// Throws c10::ValueError if there are no blocks, if one is not a linear component or stands there twice,
  /// or for shapes that are not positive.
  explicit BlockDiagonalImpl(std::vector<DiagonalBlock> blocks);

  Role role() const override { return Role::component; }
  torch::Tensor tpfp_update(const Pass& pass, const torch::Tensor& signal, bool to_input) override;
  torch::Tensor dfa_update(const Pass& pass, const torch::Tensor& signal, bool to_input) override;
  torch::Tensor dat_update(const Pass& pass, const torch::Tensor& signal, bool to_input) override;
  Adjoint adjoint(const torch::Tensor& x) const override;
  Deployment deploy() override;
  Footprint footprint() const override;
  Traversal traversal(const Pass& pass) const override;
  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;

  /// The blocks, in the order in which a sample is dealt out to them.
  const std::vector<DiagonalBlock>& blocks() const { return blocks_; }

 protected:
  /// All passes of the blocks, and what is theirs.
  std::vector<torch::Tensor> read_by_pullback(const Pass& pass) const override;
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor evaluate(const torch::Tensor& x) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;

 private:
  using Hook = torch::Tensor (Layer::*)(const Pass& pass, const torch::Tensor& signal, bool to_input);
  torch::Tensor update(const Pass& pass, const torch::Tensor& signal, bool to_input, Hook hook);

  std::vector<DiagonalBlock> blocks_;
  int64_t values_ = 0;
};

TORCH_MODULE(BlockDiagonal);

}  // namespace optotorch
