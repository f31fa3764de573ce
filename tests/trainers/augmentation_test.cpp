// Random shifts and mirror images of training samples.

#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/random_order.h>
#include <support/random_images.h>

#include <set>

namespace optotorch {
namespace {

using testing::random_images;
using testing::whole;

/// image [C, H, W] moved, with `fill` where nothing was: slow and obvious.
at::Tensor moved(const at::Tensor& image, const Shift& shift, const at::Tensor& fill) {
  auto result = fill.view({-1, 1, 1}).expand_as(image).clone();
  for (int64_t y = 0; y < image.size(1); ++y) {
    for (int64_t x = 0; x < image.size(2); ++x) {
      const int64_t from_y = y - shift.down;
      const int64_t from_x = x - shift.right;
      if (from_y >= 0 && from_y < image.size(1) && from_x >= 0 && from_x < image.size(2)) {
        result.select(1, y).select(1, x).copy_(image.select(1, from_y).select(1, from_x));
      }
    }
  }
  return result;
}

TEST(AugmentationTest, ShiftsAreExactTranslations) {
  const ImageSet set = random_images(40, 2, 6, 9);
  const auto original = set.images().to(at::kFloat).div(255);
  const auto options = ImageBatchesOptions(16).shuffle(true).shift(5).seed(11);
  const ImageBatches batches(set, options);
  std::set<std::pair<int64_t, int64_t>> shifts;
  for (int64_t epoch = 0; epoch < 6; ++epoch) {
    for (const auto& [data, target] : batches.epoch(epoch)) {
      for (int64_t i = 0; i < target.numel(); ++i) {
        const auto sample = target[i].item<int64_t>();
        const Shift shift = random_shift(5, 11, static_cast<uint64_t>(epoch), static_cast<uint64_t>(sample));
        shifts.insert({shift.down, shift.right});
        EXPECT_TRUE(data[i].equal(moved(original[sample], shift, at::zeros({2}))));
      }
    }
  }
  // 240 draws of 121 shifts meet about 104 of them, each of the 22 extremes with near certainty for some
  // sample.
  EXPECT_GT(shifts.size(), 80u);
  EXPECT_EQ(shifts.begin()->first, -5);
  EXPECT_EQ(shifts.rbegin()->first, 5);
}

TEST(AugmentationTest, ShiftsAreUniformAndUncorrelated) {
  constexpr int64_t most = 2;
  at::Tensor counts = at::zeros({5, 5}, at::kLong);
  auto count = counts.accessor<int64_t, 2>();
  for (uint64_t epoch = 0; epoch < 10; ++epoch) {
    for (uint64_t sample = 0; sample < 2500; ++sample) {
      const Shift shift = random_shift(most, 7, epoch, sample);
      ++count[shift.down + most][shift.right + most];
    }
  }
  // 1,000 of each are expected, with a standard deviation of 31.
  EXPECT_GT(counts.min().item<int64_t>(), 1000 - 5 * 31);
  EXPECT_LT(counts.max().item<int64_t>(), 1000 + 5 * 31);
}

TEST(AugmentationTest, ShiftFillsWithBlackBeforeNormalising) {
  const ImageSet set = random_images(30, 2);
  const auto options = ImageBatchesOptions(30).shift(3).mean({0.25, 0.5}).stddev({0.5, 2.0}).seed(1);
  const auto data = ImageBatches(set, options).batch(0, 0).data;
  const auto mean = at::tensor({0.25, 0.5}, at::kDouble).view({2, 1, 1});
  const auto stddev = at::tensor({0.5, 2.0}, at::kDouble).view({2, 1, 1});
  const auto normal = ((set.images().to(at::kDouble) / 255 - mean) / stddev).to(at::kFloat);
  for (int64_t i = 0; i < 30; ++i) {
    const Shift shift = random_shift(3, 1, 0, static_cast<uint64_t>(i));
    EXPECT_TRUE(data[i].equal(moved(normal[i], shift, at::tensor({-0.5f, -0.25f}))));
  }
}

/// image [C, H, W] left to right, by hand.
at::Tensor mirrored(const at::Tensor& image) {
  auto result = at::empty_like(image);
  for (int64_t x = 0; x < image.size(2); ++x) {
    result.select(2, x).copy_(image.select(2, image.size(2) - 1 - x));
  }
  return result;
}

TEST(AugmentationTest, FlipsMirrorEveryChannelExactlyOrNotAtAll) {
  const ImageSet set = random_images(60, 3, 6, 9);
  const auto original = set.images().to(at::kFloat).div(255);
  int64_t flips = 0;
  std::vector<std::vector<bool>> by_epoch;
  for (int64_t epoch = 0; epoch < 8; ++epoch) {
    std::vector<bool> flipped(60);
    for (const auto& [data, target] :
         ImageBatches(set, ImageBatchesOptions(16).shuffle(true).flip(true).seed(11)).epoch(epoch)) {
      for (int64_t i = 0; i < target.numel(); ++i) {
        const auto sample = target[i].item<int64_t>();
        const bool is_flipped = data[i].equal(mirrored(original[sample]));
        EXPECT_NE(is_flipped, data[i].equal(original[sample])) << sample;
        EXPECT_EQ(is_flipped, random_flip(11, static_cast<uint64_t>(epoch), static_cast<uint64_t>(sample)));
        flipped[static_cast<size_t>(sample)] = is_flipped;
        flips += is_flipped ? 1 : 0;
      }
    }
    for (const auto& before : by_epoch) {
      EXPECT_NE(before, flipped) << "another choice in every epoch";
    }
    by_epoch.push_back(flipped);
  }
  // Of 480, with a standard deviation of 11.
  EXPECT_NEAR(static_cast<double>(flips), 240, 5 * 11);
}

TEST(AugmentationTest, FlipsArePlainWithoutTheOption) {
  const ImageSet set = random_images(60);
  EXPECT_TRUE(ImageBatches(set, ImageBatchesOptions(60).seed(11))
                  .batch(3, 0)
                  .data.equal(set.images().to(at::kFloat) / 255));
}

TEST(AugmentationTest, FlipsDependOnSeedEpochAndSampleAlone) {
  const ImageSet set = random_images(50);
  const auto by_sample = [&](const ImageBatchesOptions& options) {
    const auto all = whole(ImageBatches(set, options), 5);
    return all.data.index_select(0, all.target.argsort());
  };
  const auto reference = by_sample(ImageBatchesOptions(50).flip(true).seed(3));
  for (const int64_t size : {1, 7, 49}) {
    EXPECT_TRUE(by_sample(ImageBatchesOptions(size).flip(true).seed(3)).equal(reference));
    EXPECT_TRUE(by_sample(ImageBatchesOptions(size).flip(true).seed(3).shuffle(true)).equal(reference));
  }
  EXPECT_FALSE(by_sample(ImageBatchesOptions(50).flip(true).seed(4)).equal(reference));
}

TEST(AugmentationTest, FlipsLeaveOrdersAndShiftsAsTheyWere) {
  const ImageSet set = random_images(40, 2, 6, 9);
  const auto options = ImageBatchesOptions(16).shuffle(true).shift(4).seed(11);
  const ImageBatches plain(set, options), flipping(set, ImageBatchesOptions(options).flip(true));
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    for (int64_t k = 0; k < plain.size(); ++k) {
      const auto a = plain.batch(epoch, k), b = flipping.batch(epoch, k);
      ASSERT_TRUE(a.target.equal(b.target));
      for (int64_t i = 0; i < a.target.numel(); ++i) {
        const bool flip =
            random_flip(11, static_cast<uint64_t>(epoch), static_cast<uint64_t>(a.target[i].item<int64_t>()));
        EXPECT_TRUE(b.data[i].equal(flip ? mirrored(a.data[i]) : a.data[i]))
            << "shifted first, then mirrored";
      }
    }
  }
}

TEST(AugmentationTest, FlipsAreIndependentOfShiftsOfNeighboursAndOfEpochs) {
  constexpr uint64_t epochs = 10, samples = 2500;
  int64_t flips = 0, with_right = 0, with_next = 0, with_next_epoch = 0;
  for (uint64_t epoch = 0; epoch < epochs; ++epoch) {
    for (uint64_t sample = 0; sample < samples; ++sample) {
      const bool flip = random_flip(7, epoch, sample);
      flips += flip ? 1 : 0;
      with_right += flip == (random_shift(100, 7, epoch, sample).right > 0) ? 1 : 0;
      with_next += flip == random_flip(7, epoch, sample + 1) ? 1 : 0;
      with_next_epoch += flip == random_flip(7, epoch + 1, sample) ? 1 : 0;
    }
  }
  // Half of 25,000, with a standard deviation of 79; to the right are 100 of 201.
  EXPECT_NEAR(static_cast<double>(flips), 12500, 5 * 79);
  EXPECT_NEAR(static_cast<double>(with_right), 12500, 5 * 79);
  EXPECT_NEAR(static_cast<double>(with_next), 12500, 5 * 79);
  EXPECT_NEAR(static_cast<double>(with_next_epoch), 12500, 5 * 79);
}

}  // namespace
}  // namespace optotorch
