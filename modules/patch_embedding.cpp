#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/layer.h>
#include <optotorch/modules/patch_embedding.h>

#include <ostream>

namespace optotorch {

PatchEmbeddingImpl::PatchEmbeddingImpl(PatchEmbeddingOptions options_)
    : Cloneable("PatchEmbedding"), options(options_) {
  OPTOTORCH_CHECK(options.channels() >= 1 && options.width() >= 1, .where = "PatchEmbedding",
                  .argument = "channels, width", .expected = "at least 1",
                  .got = c10::str(options.channels(), ", ", options.width()), .remedy = "");
  OPTOTORCH_CHECK(options.side() >= 1 && options.side() <= 4096 && options.patch() >= 1 &&
                      options.side() % options.patch() == 0,
                  .where = "PatchEmbedding", .argument = "side, patch",
                  .expected = "a side of 1 to 4096 and a patch that divides it",
                  .got = c10::str(options.side(), ", ", options.patch()), .remedy = "");
  reset();
}

void PatchEmbeddingImpl::reset() {
  const int64_t pixels = options.channels() * options.patch() * options.patch();
  project = register_module("project", torch::nn::Linear(pixels, options.width()));
  positions = register_parameter("positions", torch::empty({tokens(), options.width()}).normal_(0, 0.02));
}

int64_t PatchEmbeddingImpl::tokens() const {
  const int64_t along_a_side = options.side() / options.patch();
  return along_a_side * along_a_side;
}

torch::Tensor PatchEmbeddingImpl::forward(const torch::Tensor& x) {
  const int64_t side = options.side(), patch = options.patch(), along_a_side = side / patch;
  OPTOTORCH_CHECK(
      x.defined() && x.is_floating_point() && x.dim() == 4 && x.size(1) == options.channels() &&
          x.size(2) == side && x.size(3) == side,
      .where = "PatchEmbedding", .argument = "input",
      .expected = c10::str("real images [batch, ", options.channels(), ", ", side, ", ", side, "]"),
      .got = describe(x), .remedy = "Convert the images to float in [0, 1]");
  check_precision(*this, x, positions);
  // [batch, channels, down, y, across, x] -> [batch, down, across, channels, y, x]
  const auto patches = x.unflatten(3, {along_a_side, patch})
                           .unflatten(2, {along_a_side, patch})
                           .permute({0, 2, 4, 1, 3, 5})
                           .flatten(3)
                           .flatten(1, 2);
  return project(patches) + positions;
}

void PatchEmbeddingImpl::pretty_print(std::ostream& stream) const {
  stream << "optotorch::PatchEmbedding(channels=" << options.channels() << ", side=" << options.side()
         << ", patch=" << options.patch() << ", width=" << options.width() << ")";
}

}  // namespace optotorch
