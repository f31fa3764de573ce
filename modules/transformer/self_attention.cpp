#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/transformer/self_attention.h>

namespace optotorch {

namespace {

/// LibTorch's attention. Up to some hundred tokens its form by whole matrices is faster on a processor than
/// the fused one, which is for those that do not fit: 128 tokens of 4 x 32 values, batch 8, forward and
/// backward 2.6 ms against 15.7. Either is right for any number of tokens: an export keeps its example's.
torch::Tensor attend(const torch::Tensor& query, const torch::Tensor& key, const torch::Tensor& value,
                     bool causal) {
  constexpr int64_t most_by_matrices = 512;
  if (query.size(-2) > most_by_matrices || !query.is_cpu()) {
    return at::scaled_dot_product_attention(query, key, value, /*attn_mask=*/{}, /*dropout_p=*/0, causal);
  }
  return std::get<0>(at::_scaled_dot_product_attention_math(query, key, value, /*attn_mask=*/{},
                                                            /*dropout_p=*/0, causal));
}

}  // namespace

SelfAttentionImpl::SelfAttentionImpl(SelfAttentionOptions options_)
    : Cloneable("SelfAttention"), options(options_) {
  OPTOTORCH_CHECK(options.width() >= 1 && options.heads() >= 1 && options.width() % options.heads() == 0,
                  .where = "SelfAttention", .argument = "width, heads",
                  .expected = "at least 1, and heads that divide the width",
                  .got = c10::str(options.width(), ", ", options.heads()));
  reset();
}

void SelfAttentionImpl::reset() {
  const auto map = [this] { return LinearMapOptions(options.width(), options.width()).maps(options.maps()); };
  query = register_module("query", LinearMap(map()));
  key = register_module("key", LinearMap(map().bias(false)));
  value = register_module("value", LinearMap(map()));
  output = register_module("output", LinearMap(map()));
}

torch::Tensor SelfAttentionImpl::forward(const torch::Tensor& x) {
  check_tokens(*this, x, options.width());
  const auto heads = [this](const torch::Tensor& t) {
    return t.unflatten(-1, {options.heads(), options.width() / options.heads()}).transpose(1, 2);
  };
  const auto z = attend(heads(query(x)), heads(key(x)), heads(value(x)), options.causal());
  return output(z.transpose(1, 2).flatten(2));
}

void SelfAttentionImpl::pretty_print(std::ostream& stream) const {
  print_part(*this, stream);
}

void check_tokens(const torch::nn::Module& module, const torch::Tensor& x, int64_t width) {
  OPTOTORCH_CHECK(
      x.defined() && x.is_floating_point() && x.dim() == 3 && x.size(1) >= 1 && x.size(2) == width,
      .where = module.name(), .argument = "input",
      .expected = c10::str("real values [batch, tokens, ", width, "]"), .got = describe(x),
      .remedy = "A PatchEmbedding makes tokens of images, a TokenEmbedding of numbers");
}

namespace {

const RegisteredPart self_attention_type(part_type<SelfAttentionImpl>("SelfAttention",
                                                                      SelfAttentionOptions(1, 1), 2));

}  // namespace
}  // namespace optotorch
