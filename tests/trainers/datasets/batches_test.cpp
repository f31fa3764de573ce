#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/mnist.h>
#include <optotorch/trainers/datasets/random_order.h>
#include <optotorch/trainers/datasets/split.h>
#include <support/errors.h>
#include <support/random_images.h>

#include <set>
#include <thread>

namespace optotorch {
namespace {

using testing::random_images;
using testing::values;
using testing::whole;
using testing::WholeEpoch;

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
