// Batches of images that are read and transformed one by one.

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/random_order.h>
#include <optotorch/trainers/datasets/transforms/all.h>
#include <optotorch/trainers/prefetched_batches.h>
#include <support/errors.h>
#include <support/random_images.h>

#include <set>

namespace optotorch::transforms {
namespace {

using testing::random_images;
using testing::values;
using testing::whole;

std::shared_ptr<const Transform> augment() {
  return compose(RandomCrop(RandomCropOptions(5).padding({2})), RandomHorizontalFlip(), ConvertImageDtype(),
                 Normalize({0.5}, {0.25}));
}

/// Images of sizes of their own, some of which cannot be read.
class Album : public ImageSource {
 public:
  explicit Album(std::set<int64_t> broken = {}, bool sizes_differ = false)
      : broken_(std::move(broken)), sizes_differ_(sizes_differ) {}
  const std::string& name() const override { return name_; }
  const std::vector<std::string>& class_names() const override { return names_; }
  const at::Tensor& targets() const override { return targets_; }
  at::Tensor image(int64_t index) const override {
    OPTOTORCH_CHECK(!broken_.contains(index), .where = "album", .argument = std::to_string(index),
                    .expected = "a picture", .got = "a broken one");
    const int64_t height = sizes_differ_ ? 8 + index % 3 : 8;
    return at::full({3, height, 9}, index, at::kByte);
  }

 private:
  std::string name_ = "album";
  std::vector<std::string> names_{"a", "b"};
  at::Tensor targets_ = at::arange(20, at::kLong).remainder(2);
  std::set<int64_t> broken_;
  bool sizes_differ_;
};

TEST(TransformedBatches, DrawsAreAFunctionOfSeedEpochAndSample) {
  const ImageSet set = random_images(30, 1, 6, 9);
  const auto transform = augment();
  for (const int64_t batch_size : {1, 7, 30}) {
    const auto options = ImageBatchesOptions(batch_size).shuffle(true).seed(5).transform(transform);
    for (const int64_t epoch : {0, 3}) {
      const auto all = whole(ImageBatches(set, options), epoch);
      for (int64_t i = 0; i < 30; ++i) {
        const int64_t sample = all.target[i].item<int64_t>();
        const auto random = at::make_generator<at::CPUGeneratorImpl>(
            random_seed(5, static_cast<uint64_t>(epoch), static_cast<uint64_t>(sample)));
        EXPECT_TRUE(all.data[i].equal(transform->apply(set.image(sample), random)));
      }
    }
  }
}

TEST(TransformedBatches, SeedsStayTheSameForGood) {
  // Runs resume by these numbers, which come from a second implementation of Philox, in Python.
  EXPECT_EQ(random_seed(1, 2, 3), 7810439510199861416u);
  EXPECT_EQ(random_seed(0, 0, 0), 2740618446903108810u);
  EXPECT_EQ(random_seed(~uint64_t{0}, 5, (uint64_t{1} << 61) - 1), 16135752850727104772u);
}

TEST(TransformedBatches, LeaveTheDefaultGeneratorAlone) {
  at::manual_seed(4);
  const auto wanted = at::rand({3});
  at::manual_seed(4);
  ImageBatches(random_images(10), ImageBatchesOptions(5).transform(augment())).batch(0, 0);
  EXPECT_TRUE(at::rand({3}).equal(wanted));
}

TEST(TransformedBatches, AreTheSameForAnyNumberOfWorkers) {
  const auto options = ImageBatchesOptions(4).shuffle(true).seed(2).transform(augment());
  const auto alone = std::make_shared<ImageBatches>(random_images(30), options);
  for (const int64_t workers : {1, 3}) {
    const PrefetchedBatches together(alone, workers);
    for (int64_t epoch = 0; epoch < 2; ++epoch) {
      for (int64_t k = epoch; k < alone->size(); ++k) {
        const auto [data, target] = together.batch(epoch, k);
        EXPECT_TRUE(data.equal(alone->batch(epoch, k).data));
        EXPECT_TRUE(target.equal(alone->batch(epoch, k).target));
      }
    }
  }
}

TEST(TransformedBatches, BytesAreNormalisedAsWithoutATransform) {
  const ImageSet set = random_images(12, 3);
  const auto options = ImageBatchesOptions(12).mean({0.1, 0.2, 0.3}).stddev({1, 2, 4});
  const auto plain = ImageBatches(set, options).batch(0, 0).data;
  const auto same = ImageBatches(set, ImageBatchesOptions(options).transform(compose())).batch(0, 0).data;
  EXPECT_TRUE(same.equal(plain));
  const auto as_source = ImageBatches(std::make_shared<const ImagesOf<ImageSet>>(set), options).batch(0, 0);
  EXPECT_TRUE(as_source.data.equal(plain));
  const auto in_double =
      ImageBatches(set, ImageBatchesOptions(options).transform(compose()).dtype(at::kDouble))
          .batch(0, 0)
          .data;
  EXPECT_TRUE(
      in_double.equal(ImageBatches(set, ImageBatchesOptions(options).dtype(at::kDouble)).batch(0, 0).data));
}

TEST(TransformedBatches, TransformsMayChangeTheChannels) {
  const auto options = ImageBatchesOptions(4).mean({0.5}).stddev({0.5}).transform(compose(Grayscale()));
  const auto data = ImageBatches(random_images(4, 3), options).batch(0, 0).data;
  EXPECT_EQ(data.sizes(), (std::vector<int64_t>{4, 1, 6, 9}));
  EXPECT_SAYS(ImageBatches(random_images(4, 3), ImageBatchesOptions(options).mean({0, 0, 0})).batch(0, 0),
              "one value, or one for each channel, got 3 values");
}

TEST(TransformedBatches, ImagesMustBeOfOneSize) {
  const auto album = std::make_shared<Album>(std::set<int64_t>{}, /*sizes_differ=*/true);
  EXPECT_SAYS(ImageBatches(album, 4).batch(0, 0),
              "images of one size, [3, 8, 9], got uint8 [3, 9, 9] for sample 1");
  const auto cropped = ImageBatchesOptions(20).transform(compose(CenterCrop(CenterCropOptions({6, 6}))));
  EXPECT_EQ(ImageBatches(album, cropped).batch(0, 0).data.sizes(), (std::vector<int64_t>{20, 3, 6, 6}));
}

TEST(TransformedBatches, BrokenImagesAreErrorsOrCounted) {
  const auto album = std::make_shared<Album>(std::set<int64_t>{1, 4, 5, 6, 7});
  const ImageBatches strict(album, 4);
  EXPECT_SAYS(strict.batch(0, 0), "album: 1: expected a picture, got a broken one");
  EXPECT_EQ(strict.skipped(), 0);
  EXPECT_EQ(strict.batch(0, 2).target.numel(), 4);

  const ImageBatches lenient(album, ImageBatchesOptions(4).skip_broken(true));
  for (int repeat = 0; repeat < 2; ++repeat) {
    const auto [data, target] = lenient.batch(0, 0);
    EXPECT_EQ(values((data.select(1, 0).select(1, 0).select(1, 0) * 255).round().to(at::kLong)),
              (std::vector<int64_t>{0, 2, 3}));
    EXPECT_EQ(values(target), (std::vector<int64_t>{0, 0, 1}));
    EXPECT_EQ(lenient.skipped(), 1);
  }
  EXPECT_SAYS(lenient.batch(0, 1), "one that can be read, in every batch");
  EXPECT_EQ(lenient.skipped(), 5);
}

TEST(TransformedBatches, RefuseShiftAndFlipBesideATransform) {
  const auto options = ImageBatchesOptions(4).transform(augment());
  EXPECT_SAYS(ImageBatches(random_images(4), ImageBatchesOptions(options).shift(1)),
              "RandomCrop with padding");
  EXPECT_SAYS(ImageBatches(random_images(4), ImageBatchesOptions(options).flip(true)), "flip: expected");
  EXPECT_SAYS(ImageBatches(std::make_shared<Album>(), ImageBatchesOptions(4).flip(true)), "got album");
  EXPECT_SAYS(ImageBatches(std::shared_ptr<const ImageSource>(), 4), "set: expected images");
}

}  // namespace
}  // namespace optotorch::transforms
