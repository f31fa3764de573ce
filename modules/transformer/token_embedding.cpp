#include <ATen/ATen.h>
#include <ATen/TracerMode.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/transformer/token_embedding.h>

namespace optotorch {
namespace {

void check_vocabulary(const torch::Tensor& x, int64_t vocabulary) {
  const at::tracer::impl::NoTracerDispatchMode not_in_an_export;
  const auto [least, most] = at::aminmax(x);
  const int64_t low = least.item<int64_t>(), high = most.item<int64_t>();
  OPTOTORCH_CHECK(low >= 0 && high < vocabulary, .where = "TokenEmbedding", .argument = "input",
                  .expected = c10::str("tokens from 0 to ", vocabulary - 1),
                  .got = std::to_string(low < 0 ? low : high),
                  .remedy = "Make the vocabulary as large as that of the data");
}

}  // namespace

TokenEmbeddingImpl::TokenEmbeddingImpl(TokenEmbeddingOptions options_)
    : Cloneable("TokenEmbedding"), options(options_) {
  const auto within = [](int64_t size) { return size >= 1 && size <= 1 << 24; };
  OPTOTORCH_CHECK(within(options.vocabulary()) && within(options.context()) && within(options.width()),
                  .where = "TokenEmbedding", .argument = "vocabulary, context, width",
                  .expected = "1 to 2^24",
                  .got = c10::str(options.vocabulary(), ", ", options.context(), ", ", options.width()));
  reset();
}

void TokenEmbeddingImpl::reset() {
  weight = register_parameter("weight", torch::randn({options.vocabulary(), options.width()}));
  positions = register_parameter("positions", torch::randn({options.context(), options.width()}));
}

torch::Tensor TokenEmbeddingImpl::forward(const torch::Tensor& x) {
  OPTOTORCH_CHECK(x.defined() && x.scalar_type() == torch::kInt64 && x.dim() == 2 && x.size(1) >= 1 &&
                      x.size(1) <= options.context(),
                  .where = "TokenEmbedding", .argument = "input",
                  .expected = c10::str("int64 [batch, tokens], 1 to ", options.context(), " tokens"),
                  .got = describe(x));
  if (x.numel() > 0) {
    check_vocabulary(x, options.vocabulary());
  }
  // 0, 1, 2, ... from a tensor: a number of tokens would be that of the example in an exported network.
  const auto place = at::ones_like(x.sum(0)).cumsum(0) - 1;
  return at::embedding(weight, x) + at::embedding(positions, place);
}

void TokenEmbeddingImpl::pretty_print(std::ostream& stream) const {
  print_part(*this, stream);
}

namespace {

const RegisteredPart token_embedding_type(part_type<TokenEmbeddingImpl>("TokenEmbedding",
                                                                        TokenEmbeddingOptions(1, 1, 1), 3));

}  // namespace
}  // namespace optotorch
