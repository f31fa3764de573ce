#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/transforms/all.h>
#include <support/errors.h>
#include <torch/data/datasets/base.h>
#include <torch/data/datasets/map.h>
#include <torch/data/transforms/stack.h>

namespace optotorch::transforms {
namespace {

at::Tensor noise(at::IntArrayRef sizes = {3, 24, 20}) {
  return at::randint(0, 256, sizes, at::detail::createCPUGenerator(3), at::kByte);
}

Transforms all_of_bytes() {
  return transform_list(
      Resize(12), RandomResizedCrop(9), CenterCrop(10), RandomCrop(RandomCropOptions(20).padding({4})),
      Pad(2), RandomHorizontalFlip(1.0), RandomVerticalFlip(1.0), RandomRotation(20), RandomAffine(20),
      RandomPerspective(RandomPerspectiveOptions().p(1)), Grayscale(3), RandomGrayscale(1.0),
      ColorJitter(ColorJitterOptions().brightness({0.5}).contrast({0.5}).saturation({0.5}).hue({0.2})),
      GaussianBlur(5), RandomInvert(1.0), RandomPosterize(RandomPosterizeOptions(2).p(1)),
      RandomSolarize(RandomSolarizeOptions(9).p(1)), RandomAutocontrast(1.0), RandomEqualize(1.0),
      RandomAdjustSharpness(RandomAdjustSharpnessOptions(3).p(1)), RandomErasing(1.0), ConvertImageDtype(),
      AutoAugment(), RandAugment(), TrivialAugmentWide());
}

/// A data set of LibTorch's, of images in memory.
class Images : public torch::data::datasets::Dataset<Images> {
 public:
  explicit Images(at::Tensor pixels) : pixels_(std::move(pixels)) {}
  torch::data::Example<> get(size_t index) override {
    return {pixels_[static_cast<int64_t>(index)].to(at::kFloat) / 255, at::zeros({}, at::kLong)};
  }
  std::optional<size_t> size() const override { return static_cast<size_t>(pixels_.size(0)); }

 private:
  at::Tensor pixels_;
};

TEST(Transform, LeavesItsInput) {
  for (const auto& transform : all_of_bytes()) {
    const at::Tensor image = noise(), before = image.clone();
    for (int i = 0; i < 10; ++i) {
      transform->apply(image);
      ASSERT_TRUE(image.equal(before)) << describe_transform(*transform);
    }
  }
}

TEST(Transform, DrawsFromTheGeneratorItIsGiven) {
  for (const auto& transform : all_of_bytes()) {
    at::manual_seed(5);
    const at::Tensor expected = transform->apply(noise());
    const at::Tensor state = at::detail::getDefaultCPUGenerator().get_state();
    const at::Tensor given = transform->apply(noise(), at::detail::createCPUGenerator(5));
    EXPECT_TRUE(given.equal(expected)) << describe_transform(*transform);
    EXPECT_TRUE(at::detail::getDefaultCPUGenerator().get_state().equal(state));
  }
}

TEST(Transform, BuildsNoGraph) {
  const at::Tensor image = at::rand({1, 4, 4}).requires_grad_();
  EXPECT_FALSE(Normalize({0.5}, {0.5}).apply(image).requires_grad());
  EXPECT_FALSE(Normalize({0.5}, {0.5}).apply(image).is_inference());
}

TEST(Transform, RefusesWhatIsNoImage) {
  EXPECT_SAYS(CenterCrop(2).apply(at::zeros({2, 3, 4, 4})), "A batch is transformed image by image");
  EXPECT_SAYS(CenterCrop(2).apply(at::Tensor()), "got an undefined tensor");
  EXPECT_SAYS(CenterCrop(2).apply(at::zeros({3, 4, 4}, at::kComplexFloat)), "got complex64 [3, 4, 4]");
  EXPECT_SAYS(CenterCrop(2).apply(at::zeros({3, 0, 4})), "got float32 [3, 0, 4]");
}

TEST(Transform, ServesDataSetsOfLibTorch) {
  const at::Tensor pixels = noise({6, 1, 8, 8});
  Images images(pixels);
  auto flipped = images.map(ImageTransform(RandomHorizontalFlip(1.0)))
                     .map(ImageTransform("[{\"type\": \"Normalize\", \"mean\": 0.5, \"std\": 0.25}]"))
                     .map(torch::data::transforms::Stack<>());
  const auto batch = flipped.get_batch({0, 3});
  const at::Tensor expected =
      (pixels.index_select(0, at::tensor({0, 3})).flip(3).to(at::kFloat) / 255 - 0.5) / 0.25;
  EXPECT_TRUE(batch.data.equal(expected));
  EXPECT_SAYS(ImageTransform(std::shared_ptr<const transforms::Transform>()),
              "expected a transform, got none");
}

TEST(Transform, RandomApplyTakesAllOrNone) {
  const at::Tensor image = noise();
  const auto both = transform_list(RandomInvert(1.0), RandomHorizontalFlip(1.0));
  EXPECT_TRUE(RandomApply(both, 0).apply(image).equal(image));
  EXPECT_TRUE(RandomApply(both, 1).apply(image).equal((255 - image).flip(2)));
  EXPECT_SAYS(RandomApply({nullptr}), "transforms[0]: expected a transform, got none");
  EXPECT_SAYS(RandomApply(both, 1.5), "RandomApply: p: expected 0 to 1, got 1.5");
  EXPECT_TRUE(Compose({}).apply(image).equal(image));
}

}  // namespace
}  // namespace optotorch::transforms
