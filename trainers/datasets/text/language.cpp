#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/text/language.h>
#include <torch/nn/functional/loss.h>

#include <numbers>

namespace optotorch {

torch::Tensor next_token_loss(const torch::Tensor& output, const torch::Tensor& target) {
  OPTOTORCH_CHECK(output.defined() && output.is_floating_point() && output.dim() == 3 && target.defined() &&
                      target.scalar_type() == torch::kInt64 && target.numel() > 0 &&
                      target.sizes() == output.sizes().slice(0, 2),
                  .where = "next_token_loss", .argument = "output, target",
                  .expected = "real [batch, tokens, vocabulary] and int64 [batch, tokens], no size 0",
                  .got = describe(output) + " and " + describe(target));
  // LibTorch leaves out targets of -100 without a word.
  const auto [least, most] = target.aminmax();
  const auto low = least.item<int64_t>();
  const auto high = most.item<int64_t>();
  OPTOTORCH_CHECK(low >= 0 && high < output.size(2), .where = "next_token_loss", .argument = "target",
                  .expected = c10::str("values from 0 to ", output.size(2) - 1),
                  .got = c10::str(low < 0 ? low : high), .remedy = "Do model and text have one vocabulary?");
  return torch::nn::functional::cross_entropy(output.flatten(0, 1), target.flatten());
}

Metric bits_per_character() {
  return {[](const torch::Tensor& output, const torch::Tensor& target) {
            return next_token_loss(output, target).item<double>() / std::numbers::ln2;
          },
          "bits_per_character", Metric::Better::smaller, Metric::Over::elements};
}

}  // namespace optotorch
