#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/detail/deployed_check.h>
#include <optotorch/modules/layer.h>
#include <optotorch/modules/transformer/patch_embedding.h>

namespace optotorch {

PatchEmbeddingImpl::PatchEmbeddingImpl(PatchEmbeddingOptions options_)
    : Cloneable("PatchEmbedding"), options(options_) {
  constexpr int64_t largest = 1 << 24;
  OPTOTORCH_CHECK(options.channels() >= 1 && options.channels() <= largest && options.width() >= 1 &&
                      options.width() <= largest,
                  .where = "PatchEmbedding", .argument = "channels, width", .expected = "1 to 2^24",
                  .got = c10::str(options.channels(), ", ", options.width()));
  OPTOTORCH_CHECK(options.side() >= 1 && options.side() <= 4096 && options.patch() >= 1 &&
                      options.side() % options.patch() == 0,
                  .where = "PatchEmbedding", .argument = "side, patch",
                  .expected = "a side of 1 to 4096 and a patch that divides it",
                  .got = c10::str(options.side(), ", ", options.patch()));
  OPTOTORCH_CHECK(options.overlap() >= 0 && options.overlap() < options.patch(), .where = "PatchEmbedding",
                  .argument = "overlap", .expected = c10::str("0 to ", options.patch() - 1),
                  .got = std::to_string(options.overlap()), .remedy = "Take larger patches");
  OPTOTORCH_CHECK(options.hidden() >= 0 && options.hidden() <= largest, .where = "PatchEmbedding",
                  .argument = "hidden", .expected = "1 to 2^24, or 0 for none",
                  .got = std::to_string(options.hidden()));
  reset();
}

void PatchEmbeddingImpl::reset() {
  const int64_t window = options.patch() + 2 * options.overlap(), hidden = options.hidden();
  const int64_t pixels = options.channels() * window * window;
  if (hidden > 0) {
    expand = register_module("expand", torch::nn::Linear(pixels, hidden));
  }
  project = register_module("project", torch::nn::Linear(hidden > 0 ? hidden : pixels, options.width()));
  positions = register_parameter("positions", torch::empty({tokens(), options.width()}).normal_(0, 0.02));
}

int64_t PatchEmbeddingImpl::tokens() const {
  const int64_t along_a_side = options.side() / options.patch();
  return along_a_side * along_a_side;
}

torch::Tensor PatchEmbeddingImpl::forward(const torch::Tensor& x) {
  const int64_t side = options.side(), patch = options.patch();
  OPTOTORCH_CHECK(
      x.defined() && x.is_floating_point() && x.dim() == 4 && x.size(1) == options.channels() &&
          x.size(2) == side && x.size(3) == side,
      .where = "PatchEmbedding", .argument = "input",
      .expected = c10::str("real images [batch, ", options.channels(), ", ", side, ", ", side, "]"),
      .got = describe(x), .remedy = "Convert the images to float in [0, 1]");
  check_precision(*this, x, positions);
  check_when_deployed(
      x, c10::str("input.dim() == 4 and input.size(2) == ", side, " and input.size(3) == ", side),
      "PatchEmbedding", c10::str("images [batch, ", options.channels(), ", ", side, ", ", side, "]"));
  const int64_t window = patch + 2 * options.overlap(), margin = options.overlap();
  const auto patches =
      at::im2col(x, {window, window}, /*dilation=*/{1, 1}, {margin, margin}, {patch, patch}).transpose(1, 2);
  return project(expand ? at::gelu(expand(patches)) : patches) + positions;
}

void PatchEmbeddingImpl::pretty_print(std::ostream& stream) const {
  print_part(*this, stream);
}

namespace {

const RegisteredPart patch_embedding_type(part_type<PatchEmbeddingImpl>("PatchEmbedding",
                                                                        PatchEmbeddingOptions(1, 1, 1, 1),
                                                                        4));

}  // namespace
}  // namespace optotorch
