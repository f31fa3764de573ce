#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/stage.h>
#include <torch/arg.h>

#include <utility>
#include <vector>

namespace optotorch {

/// Options for PhaseScreen: PhaseScreenOptions(64), PhaseScreenOptions({1, 28, 28}).
struct PhaseScreenOptions {
  /// A phase for each of `ports` ports.
  PhaseScreenOptions(int64_t ports) : shape_{ports} {}  // NOLINT(google-explicit-constructor)
  /// A phase for each element of a sample of `shape`.
  PhaseScreenOptions(std::vector<int64_t> shape)
      : shape_(std::move(shape)) {}  // NOLINT(google-explicit-constructor)
  /// Shape of a sample: {ports}, or {planes, height, width} in free space.
  TORCH_ARG(std::vector<int64_t>, shape);

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) { visit("shape", shape_); }
};

/// A phase shifter on every port or pixel, y = exp(i gamma) x: field [batch, ..., shape] -> the same.
/// The parameter `gamma` [shape], radians, is initially uniform in [0, 2 pi).
class PhaseScreenImpl : public CloneableLayer<PhaseScreenImpl, Stage> {
 public:
  /// Throws c10::ValueError for a shape without axes, sizes below 1, and a shape that no memory could hold.
  explicit PhaseScreenImpl(PhaseScreenOptions options);

  /// As a stage: [batch, shape]; it commands gamma, and its error is `phase_offset` [shape], radians.
  std::vector<StageError> errors() const override;
  torch::Tensor respond(const torch::Tensor& x, const Values& commands, const Values& errors) const override;
  Gradients respond_backward(const torch::Tensor& dL_dy, const torch::Tensor& x, const torch::Tensor& y,
                             const Values& commands, const Values& errors,
                             const Wanted& wanted) const override;
  Deployment deploy() override;
  Footprint footprint() const override { return {{parts::phase_shifters, gamma.numel()}}; }

  /// The options it was made from.
  PhaseScreenOptions options;
  /// Parameter [shape]: the phases, radians.
  torch::Tensor gamma;

 protected:
  StageDesign make_design() const override;
  std::vector<torch::Tensor> read_by_pullback(const Pass& pass) const override;
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
};

TORCH_MODULE(PhaseScreen);

}  // namespace optotorch
