#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/mnist.h>
#include <optotorch/trainers/datasets/random_order.h>
#include <optotorch/trainers/datasets/split.h>
#include <support/idx_files.h>

#include <set>
#include <thread>

namespace optotorch {
namespace {

/// `count` images of random bytes; image i has the target i.
ImageSet random_images(int64_t count, int64_t channels = 1, int64_t height = 6, int64_t width = 9) {
  const auto bytes = testing::noise(static_cast<size_t>(count * channels * height * width));
  const auto images = at::tensor(at::ArrayRef<uint8_t>(bytes), at::kByte);
  return {"random", images.view({count, channels, height, width}), at::arange(count, at::kLong),
          std::vector<std::string>(static_cast<size_t>(count), "class")};
}

struct WholeEpoch {
  at::Tensor data;
  at::Tensor target;
};

WholeEpoch whole(const ImageBatches& batches, int64_t epoch) {
  std::vector<at::Tensor> all_data;
  std::vector<at::Tensor> all_targets;
  for (const auto& [data, target] : batches.epoch(epoch)) {
    all_data.push_back(data);
    all_targets.push_back(target);
  }
  return {at::cat(all_data), at::cat(all_targets)};
}

std::vector<int64_t> values(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<int64_t>(), tensor.const_data_ptr<int64_t>() + tensor.numel()};
}

TEST(BatchesTest, YieldsTheSetInOrder) {
  const MNIST set(OPTOTORCH_SOURCE_DIR "/data", MNIST::Mode::test);
  const ImageBatches batches(set, 128);
  ASSERT_EQ(batches.size(), 8);
  const auto first = batches.batch(0, 0);
  EXPECT_EQ(first.data.sizes(), (at::IntArrayRef{128, 1, 28, 28}));
  EXPECT_EQ(first.data.scalar_type(), at::kFloat);
  EXPECT_EQ(first.target.scalar_type(), at::kLong);
  EXPECT_EQ(batches.batch(0, 7).data.size(0), 1000 - 7 * 128);
  const auto all = whole(batches, 0);
  EXPECT_TRUE(all.data.equal(set.images().to(at::kFloat).div(255)));
  EXPECT_TRUE(all.target.equal(set.targets()));
  EXPECT_TRUE(whole(batches, 5).data.equal(all.data));
}

TEST(BatchesTest, ConvertsEveryPixelValueExactly) {
  const auto bytes = at::arange(256, at::kLong).to(at::kByte).view({1, 1, 16, 16});
  const ImageSet set("ramp", bytes, at::zeros({1}, at::kLong), {"a"});
  const auto ramp = at::arange(256, at::kDouble).view({1, 1, 16, 16}) / 255;
  EXPECT_TRUE(ImageBatches(set, ImageBatchesOptions(1).dtype(at::kDouble)).batch(0, 0).data.equal(ramp));
  EXPECT_TRUE(ImageBatches(set, 1).batch(0, 0).data.equal(ramp.to(at::kFloat)));
}

TEST(BatchesTest, SizeCountsOrDropsTheLastBatch) {
  const auto batches_of = [](int64_t count, int64_t size, bool drop) {
    return ImageBatches(random_images(count), ImageBatchesOptions(size).drop_last(drop)).size();
  };
  EXPECT_EQ(batches_of(10, 3, false), 4);
  EXPECT_EQ(batches_of(10, 3, true), 3);
  EXPECT_EQ(batches_of(9, 3, false), 3);
  EXPECT_EQ(batches_of(9, 3, true), 3);
  EXPECT_EQ(batches_of(2, 3, false), 1);
  const ImageBatches dropping(random_images(10), ImageBatchesOptions(3).drop_last(true).shuffle(true));
  EXPECT_EQ(whole(dropping, 0).target.numel(), 9);
  EXPECT_SAYS(dropping.batch(0, 3), "0 to 2");
}

TEST(BatchesTest, ShufflesByEpochAndSeed) {
  const ImageSet set = random_images(97);
  const auto order = [&](uint64_t seed, int64_t epoch) {
    const auto all = whole(ImageBatches(set, ImageBatchesOptions(10).shuffle(true).seed(seed)), epoch);
    EXPECT_TRUE(all.data.equal(set.images().index_select(0, all.target).to(at::kFloat).div(255)));
    return values(all.target);
  };
  std::set<std::vector<int64_t>> orders;
  for (const uint64_t seed : {0ull, 1ull, 0xffffffffffffffffull}) {
    for (const int64_t epoch : {int64_t{0}, int64_t{1}, int64_t{2}, int64_t{1} << 40}) {
      auto drawn = order(seed, epoch);
      EXPECT_EQ(drawn, order(seed, epoch));
      EXPECT_TRUE(orders.insert(drawn).second) << seed << " " << epoch;
      std::sort(drawn.begin(), drawn.end());
      EXPECT_EQ(drawn, values(at::arange(97, at::kLong)));
    }
  }
}

TEST(BatchesTest, BatchesDoNotDependOnTheOrderOfCalls) {
  const ImageSet set = random_images(50);
  const auto options = ImageBatchesOptions(8).shuffle(true).shift(2).flip(true).seed(4);
  const ImageBatches forward(set, options);
  const ImageBatches backward(set, options);
  std::map<std::pair<int64_t, int64_t>, Batch> seen;
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    for (int64_t k = 0; k < forward.size(); ++k) {
      seen[{epoch, k}] = forward.batch(epoch, k);
    }
  }
  for (int64_t k = backward.size() - 1; k >= 0; --k) {
    for (int64_t epoch = 2; epoch >= 0; --epoch) {
      const auto again = backward.batch(epoch, k);
      EXPECT_TRUE(again.data.equal(seen.at({epoch, k}).data));
      EXPECT_TRUE(again.target.equal(seen.at({epoch, k}).target));
    }
  }
}

TEST(BatchesTest, EpochResumesInTheMiddle) {
  const ImageBatches batches(random_images(50), ImageBatchesOptions(8).shuffle(true).shift(1).seed(4));
  int64_t k = 3;
  for (const auto& [data, target] : batches.epoch(1, 3)) {
    EXPECT_TRUE(data.equal(batches.batch(1, k).data));
    EXPECT_TRUE(target.equal(batches.batch(1, k).target));
    ++k;
  }
  EXPECT_EQ(k, batches.size());
  for (const auto& batch : batches.epoch(1, batches.size())) {
    ADD_FAILURE() << batch.target;
  }
  EXPECT_SAYS(batches.epoch(1, batches.size() + 1), "first");
  EXPECT_SAYS(batches.epoch(-1), "epoch");
}

TEST(BatchesTest, EpochMayOutliveItsBatches) {
  int64_t samples = 0;
  for (const auto& [data, target] :
       ImageBatches(random_images(50), ImageBatchesOptions(8).shuffle(true)).epoch(0)) {
    samples += target.numel();
  }
  EXPECT_EQ(samples, 50);
}

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

TEST(BatchesTest, ShiftsAreExactTranslations) {
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

TEST(BatchesTest, ShiftsAreUniformAndUncorrelated) {
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

TEST(BatchesTest, OrdersAreUniform) {
  at::Tensor counts = at::zeros({5, 5}, at::kLong);
  auto count = counts.accessor<int64_t, 2>();
  for (uint64_t epoch = 0; epoch < 5000; ++epoch) {
    const auto order = values(random_order(5, 3, RandomStream::order, epoch));
    for (int64_t i = 0; i < 5; ++i) {
      ++count[i][order[static_cast<size_t>(i)]];
    }
  }
  EXPECT_GT(counts.min().item<int64_t>(), 1000 - 5 * 31);
  EXPECT_LT(counts.max().item<int64_t>(), 1000 + 5 * 31);
}

TEST(BatchesTest, OrdersStayTheSameForGood) {
  // Checkpoints resume by these numbers: a change of them is a change of the format. They come from a second
  // implementation of Philox, in Python, that reproduces the known answers of Random123.
  EXPECT_EQ(values(random_order(8, 1, RandomStream::order, 2)),
            (std::vector<int64_t>{5, 4, 6, 2, 0, 1, 3, 7}));
  EXPECT_EQ(values(random_order(8, 1, RandomStream::split, 2)),
            (std::vector<int64_t>{0, 3, 7, 1, 6, 2, 5, 4}));
  // Long enough for 5 draws to be rejected as unfair; every later one would differ otherwise.
  EXPECT_EQ(values(random_order(200000, 1, RandomStream::order, 0).narrow(0, 0, 6)),
            (std::vector<int64_t>{138021, 141553, 38628, 14588, 186119, 86536}));
  const Shift shift = random_shift(100, 1, 2, 3);
  EXPECT_EQ(shift.down, 10);
  EXPECT_EQ(shift.right, 93);
  std::vector<bool> flips;
  for (uint64_t sample = 0; sample < 12; ++sample) {
    flips.push_back(random_flip(1, 2, sample));
  }
  EXPECT_EQ(flips, (std::vector<bool>{true, true, true, false, false, false, true, false, false, true, true,
                                      false}));
}

TEST(BatchesTest, ShiftFillsWithBlackBeforeNormalising) {
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

TEST(BatchesTest, FlipsMirrorEveryChannelExactlyOrNotAtAll) {
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

TEST(BatchesTest, FlipsArePlainWithoutTheOption) {
  const ImageSet set = random_images(60);
  EXPECT_TRUE(ImageBatches(set, ImageBatchesOptions(60).seed(11))
                  .batch(3, 0)
                  .data.equal(set.images().to(at::kFloat) / 255));
}

TEST(BatchesTest, FlipsDependOnSeedEpochAndSampleAlone) {
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

TEST(BatchesTest, FlipsLeaveOrdersAndShiftsAsTheyWere) {
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

TEST(BatchesTest, FlipsAreIndependentOfShiftsOfNeighboursAndOfEpochs) {
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

TEST(BatchesTest, Normalises) {
  const ImageSet set = random_images(20, 3);
  const auto pixels = set.images().to(at::kDouble) / 255;
  const auto one_for_all =
      ImageBatches(set, ImageBatchesOptions(20).mean({0.1307}).stddev({0.3081}).dtype(at::kDouble))
          .batch(0, 0)
          .data;
  EXPECT_EQ(one_for_all.scalar_type(), at::kDouble);
  EXPECT_TRUE(one_for_all.equal((pixels - 0.1307) / 0.3081));
  const auto each =
      ImageBatches(set, ImageBatchesOptions(20).mean({0.1, 0.2, 0.3}).stddev({1, 2, 4})).batch(0, 0).data;
  EXPECT_TRUE(at::allclose(each[7][2], ((pixels[7][2] - 0.3) / 4).to(at::kFloat)));
  EXPECT_FALSE(at::allclose(each[7][2], ((pixels[7][2] - 0.1) / 1).to(at::kFloat)));
}

TEST(BatchesTest, ServesViews) {
  const ImageSet set = random_images(40);
  const auto held_back = split(set, 15, 2).validation;
  const auto all = whole(ImageBatches(held_back, ImageBatchesOptions(4).shuffle(true)), 0);
  EXPECT_TRUE(all.data.equal(set.images().index_select(0, all.target).to(at::kFloat).div(255)));
  auto drawn = values(all.target);
  std::sort(drawn.begin(), drawn.end());
  EXPECT_EQ(drawn, values(held_back.targets()));
}

TEST(BatchesTest, BatchesDoNotAliasTheSet) {
  const ImageSet set = random_images(8);
  const ImageBatches batches(set, 8);
  auto first = batches.batch(0, 0);
  const auto kept = first.data.clone();
  first.data.fill_(3);
  first.target.fill_(3);
  EXPECT_TRUE(batches.batch(0, 0).data.equal(kept));
  EXPECT_EQ(set.targets()[7].item<int64_t>(), 7);
}

TEST(BatchesTest, ThreadsMayShareOneLoader) {
  const ImageBatches batches(random_images(300), ImageBatchesOptions(7).shuffle(true).shift(2));
  std::vector<WholeEpoch> alone;
  for (int64_t epoch = 0; epoch < 4; ++epoch) {
    alone.push_back(whole(batches, epoch));
  }
  std::vector<WholeEpoch> together(4);
  std::vector<std::thread> threads;
  for (int64_t epoch = 0; epoch < 4; ++epoch) {
    threads.emplace_back([&, epoch] { together[static_cast<size_t>(epoch)] = whole(batches, epoch); });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  for (size_t epoch = 0; epoch < 4; ++epoch) {
    EXPECT_TRUE(together[epoch].data.equal(alone[epoch].data));
    EXPECT_TRUE(together[epoch].target.equal(alone[epoch].target));
  }
}

TEST(BatchesTest, RejectsWhatCannotBe) {
  const ImageSet set = random_images(10, 2, 6, 9);
  const auto make = [&](const ImageBatchesOptions& options) { return ImageBatches(set, options); };
  const auto four = ImageBatchesOptions(4);
  EXPECT_NO_THROW(make(ImageBatchesOptions(four).shift(5)));
  EXPECT_SAYS(make(0), "batch_size");
  EXPECT_SAYS(make(-3), "batch_size");
  EXPECT_SAYS(make(ImageBatchesOptions(11).drop_last(true)), "batch_size");
  EXPECT_SAYS(make(ImageBatchesOptions(four).shift(6)), "shift");
  EXPECT_SAYS(make(ImageBatchesOptions(four).shift(-1)), "shift");
  EXPECT_SAYS(make(ImageBatchesOptions(four).dtype(at::kHalf)), "dtype");
  EXPECT_SAYS(make(ImageBatchesOptions(four).mean({})), "mean");
  EXPECT_SAYS(make(ImageBatchesOptions(four).mean({1, 2, 3})), "mean");
  EXPECT_SAYS(make(ImageBatchesOptions(four).mean({std::nan("")})), "mean");
  EXPECT_SAYS(make(ImageBatchesOptions(four).stddev({0.0})), "stddev");
  EXPECT_SAYS(make(ImageBatchesOptions(four).stddev({1.0, -1.0})), "stddev");
  EXPECT_SAYS(make(ImageBatchesOptions(four).stddev({INFINITY})), "stddev");
  const ImageBatches batches(set, four);
  EXPECT_SAYS(batches.batch(0, 3), "0 to 2");
  EXPECT_SAYS(batches.batch(0, -1), "0 to 2");
  EXPECT_SAYS(batches.batch(-1, 0), "epoch");
}

}  // namespace
}  // namespace optotorch
