#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/transformer/patch_embedding.h>
#include <support/differences.h>
#include <support/errors.h>

#include <sstream>

namespace optotorch {
namespace {

using testing::expect_close;

PatchEmbedding make_patch_embedding(int64_t channels, int64_t side, int64_t patch, int64_t width) {
  PatchEmbedding embedding(PatchEmbeddingOptions(channels, side, patch, width));
  embedding->to(torch::kFloat64);
  return embedding;
}

TEST(PatchEmbeddingTest, IsAConvolutionThatStridesByPatches) {
  torch::manual_seed(1);
  for (const auto& [channels, side, patch, width] :
       {std::array<int64_t, 4>{1, 6, 2, 5}, {3, 6, 3, 4}, {2, 4, 4, 3}, {2, 3, 1, 2}, {1, 1, 1, 1}}) {
    auto embedding = make_patch_embedding(channels, side, patch, width);
    const auto x = torch::randn({3, channels, side, side}, torch::kFloat64);
    const auto kernel = embedding->project->weight.view({width, channels, patch, patch});
    const auto expected = at::conv2d(x, kernel, embedding->project->bias, patch).flatten(2).transpose(1, 2) +
                          embedding->positions;
    EXPECT_EQ(embedding->tokens(), (side / patch) * (side / patch));
    expect_close(embedding->forward(x).detach(), expected.detach(), 1e-13);
  }
}

// Neighbouring windows share pixels; what lies outside the image is 0.
TEST(PatchEmbeddingTest, OverlapsAsAPaddedConvolution) {
  torch::manual_seed(4);
  for (const auto& [patch, overlap] : {std::pair<int64_t, int64_t>{2, 1}, {3, 2}, {6, 5}}) {
    PatchEmbedding embedding(PatchEmbeddingOptions(2, 6, patch, 5).overlap(overlap));
    embedding->to(torch::kFloat64);
    const auto x = torch::randn({3, 2, 6, 6}, torch::kFloat64);
    const int64_t window = patch + 2 * overlap;
    const auto kernel = embedding->project->weight.view({5, 2, window, window});
    const auto expected =
        at::conv2d(x, kernel, embedding->project->bias, patch, overlap).flatten(2).transpose(1, 2) +
        embedding->positions;
    expect_close(embedding->forward(x).detach(), expected.detach(), 1e-13);
  }
}

TEST(PatchEmbeddingTest, AHiddenLayerComesFirst) {
  torch::manual_seed(5);
  PatchEmbedding embedding(PatchEmbeddingOptions(1, 6, 3, 4).hidden(7));
  embedding->to(torch::kFloat64);
  const auto x = torch::randn({2, 1, 6, 6}, torch::kFloat64);
  const auto named = embedding->named_parameters();
  EXPECT_EQ(named.size(), 5);
  const auto pixels = x.slice(2, 3, 6).slice(3, 0, 3).flatten(1);  // the patch below the first
  const auto hidden = at::gelu(pixels.mm(named["expand.weight"].t()) + named["expand.bias"]);
  const auto expected =
      hidden.mm(named["project.weight"].t()) + named["project.bias"] + named["positions"][2];
  expect_close(embedding->forward(x).select(1, 2).detach(), expected.detach(), 1e-13);
}

TEST(PatchEmbeddingTest, GradientsAreDerivatives) {
  torch::manual_seed(2);
  PatchEmbedding embedding(PatchEmbeddingOptions(2, 4, 2, 3).overlap(1).hidden(4));
  embedding->to(torch::kFloat64);
  const auto x = torch::randn({2, 2, 4, 4}, torch::kFloat64), w = torch::randn({2, 4, 3}, torch::kFloat64);
  const auto leaf = x.clone().requires_grad_();
  (embedding->forward(leaf) * w).sum().backward();
  const auto loss = [&] {
    const torch::NoGradGuard no_grad;
    return (embedding->forward(x) * w).sum().item<double>();
  };
  expect_close(leaf.grad(), testing::central_differences(loss, x), 1e-8, "input");
  for (auto& item : embedding->named_parameters()) {
    expect_close(item.value().grad(), testing::central_differences(loss, item.value().detach()), 1e-8,
                 item.key());
  }
}

TEST(PatchEmbeddingTest, CopiesAreTheirOwn) {
  torch::manual_seed(3);
  PatchEmbedding embedding(PatchEmbeddingOptions(1, 4, 2, 3).overlap(1).hidden(4));
  embedding->to(torch::kFloat64);
  const auto copy = std::dynamic_pointer_cast<PatchEmbeddingImpl>(embedding->clone());
  ASSERT_NE(copy, nullptr);
  const torch::NoGradGuard no_grad;
  const auto x = torch::randn({2, 1, 4, 4}, torch::kFloat64);
  const auto y = embedding->forward(x);
  for (auto& parameter : embedding->parameters()) {
    parameter.add_(1);
  }
  EXPECT_TRUE(copy->forward(x).equal(y));
  EXPECT_FALSE(embedding->forward(x).equal(y));
}

TEST(PatchEmbeddingTest, SaysWhatIsWrong) {
  EXPECT_SAYS(make_patch_embedding(1, 28, 5, 4), "a patch that divides it, got 28, 5");
  EXPECT_SAYS(make_patch_embedding(1, 28, 0, 4), "got 28, 0");
  EXPECT_SAYS(make_patch_embedding(1, 28, -7, 4), "got 28, -7");
  EXPECT_SAYS(make_patch_embedding(1, 4, 8, 4), "got 4, 8");
  EXPECT_SAYS(make_patch_embedding(1, 0, 1, 4), "got 0, 1");
  EXPECT_SAYS(make_patch_embedding(1, 8192, 4096, 1), "got 8192");
  EXPECT_SAYS(make_patch_embedding(0, 4, 2, 4), "1 to 2^24, got 0, 4");
  EXPECT_SAYS(make_patch_embedding(1, 4, 2, 0), "1 to 2^24, got 1, 0");
  EXPECT_SAYS(PatchEmbedding(PatchEmbeddingOptions(1, 4, 2, 3).overlap(-1)), "0 to 1, got -1");
  EXPECT_SAYS(PatchEmbedding(PatchEmbeddingOptions(1, 4, 2, 3).overlap(2)), "0 to 1, got 2");
  EXPECT_SAYS(PatchEmbedding(PatchEmbeddingOptions(1, 4, 2, 3).hidden(-1)), "0 for none, got -1");
  auto embedding = make_patch_embedding(3, 4, 2, 5);
  const auto real = torch::dtype(torch::kFloat64);
  EXPECT_SAYS(embedding->forward(torch::Tensor()), "undefined");
  EXPECT_SAYS(embedding->forward(torch::rand({2, 1, 4, 4}, real)),
              "PatchEmbedding: input: expected real images [batch, 3, 4, 4], got float64 [2, 1, 4, 4]");
  EXPECT_SAYS(embedding->forward(torch::rand({2, 3, 4, 6}, real)), "[2, 3, 4, 6]");
  EXPECT_SAYS(embedding->forward(torch::rand({2, 3, 2, 4}, real)), "[2, 3, 2, 4]");
  EXPECT_SAYS(embedding->forward(torch::rand({2, 48}, real)), "[2, 48]");
  EXPECT_SAYS(embedding->forward(torch::ones({2, 3, 4, 4}, torch::kUInt8)), "Convert the images to float");
  EXPECT_SAYS(embedding->forward(torch::rand({2, 3, 4, 4}, torch::kComplexDouble)), "real");
  EXPECT_SAYS(embedding->forward(torch::rand({2, 3, 4, 4}, torch::kFloat32)), "float64");
}

TEST(PatchEmbeddingTest, PrintsItself) {
  std::ostringstream stream;
  make_patch_embedding(3, 4, 2, 5)->pretty_print(stream);
  EXPECT_EQ(stream.str(),
            "optotorch::PatchEmbedding(channels=3, side=4, patch=2, width=5, overlap=0, hidden=0)");
}

}  // namespace
}  // namespace optotorch
