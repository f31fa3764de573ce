#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/tap.h>
#include <optotorch/modules/transformer/transformer_block.h>

namespace optotorch {

TransformerBlockImpl::TransformerBlockImpl(TransformerBlockOptions options_)
    : Cloneable("TransformerBlock"), options(options_) {
  constexpr int64_t largest = 1 << 24;
  OPTOTORCH_CHECK(options.width() >= 1 && options.width() <= largest && options.heads() >= 1 &&
                      options.width() % options.heads() == 0,
                  .where = "TransformerBlock", .argument = "width, heads",
                  .expected = "1 to 2^24, and heads that divide the width",
                  .got = c10::str(options.width(), ", ", options.heads()));
  OPTOTORCH_CHECK(options.hidden() >= 0 && options.hidden() <= largest, .where = "TransformerBlock",
                  .argument = "hidden", .expected = "1 to 2^24, or 0 for 4 width",
                  .got = std::to_string(options.hidden()));
  OPTOTORCH_CHECK(options.taps() == Taps::none || options.norm() == Norm::post, .where = "TransformerBlock",
                  .argument = "taps", .expected = "Taps::none with Norm::pre", .got = "Taps::micro",
                  .remedy = "Take Norm::post: without norms behind the sums, gradients pass by the taps");
  OPTOTORCH_CHECK(options.dropout() >= 0 && options.dropout() < 1, .where = "TransformerBlock",
                  .argument = "dropout", .expected = "0 to below 1",
                  .got = std::to_string(options.dropout()));
  if (options.hidden() == 0) {
    options.hidden(4 * options.width());
  }
  reset();
}

void TransformerBlockImpl::reset() {
  const int64_t width = options.width(), hidden = options.hidden();
  attention = register_module(
      "attention",
      SelfAttention(
          SelfAttentionOptions(width, options.heads()).causal(options.causal()).maps(options.maps())));
  norm1 = register_module("norm1", torch::nn::LayerNorm(torch::nn::LayerNormOptions({width})));
  up = register_module("up", LinearMap(LinearMapOptions(width, hidden).maps(options.maps())));
  down = register_module("down", LinearMap(LinearMapOptions(hidden, width).maps(options.maps())));
  norm2 = register_module("norm2", torch::nn::LayerNorm(torch::nn::LayerNormOptions({width})));
}

torch::Tensor TransformerBlockImpl::dropped(const torch::Tensor& x) const {
  return options.dropout() > 0 && is_training() ? at::dropout(x, options.dropout(), /*train=*/true) : x;
}

torch::Tensor TransformerBlockImpl::tapped(const torch::Tensor& x) const {
  return options.taps() == Taps::micro ? tap(x) : x;
}

torch::Tensor TransformerBlockImpl::forward(const torch::Tensor& x) {
  check_tokens(*this, x, options.width());
  check_precision(*this, x, norm1->weight);
  if (options.norm() == Norm::pre) {
    const auto h = x + dropped(attention(norm1(x)));
    return h + dropped(down(at::gelu(up(norm2(h)))));
  }
  const auto h = tapped(norm1(x + dropped(attention(x))));
  const auto a = tapped(at::gelu(up(h)));
  return tapped(norm2(h + dropped(down(a))));
}

void TransformerBlockImpl::pretty_print(std::ostream& stream) const {
  print_part(*this, stream);
}

namespace {

const RegisteredPart transformer_block_type(part_type<TransformerBlockImpl>("TransformerBlock",
                                                                            TransformerBlockOptions(1, 1),
                                                                            2));

}  // namespace
}  // namespace optotorch
