#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/util/ScopeExit.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/random_order.h>
#include <optotorch/trainers/datasets/text/text_batches.h>
#include <support/errors.h>
#include <support/texts.h>

#include <cmath>
#include <map>
#include <set>
#include <thread>

namespace optotorch {
namespace {

using testing::ascending;
using testing::numbers;

TEST(TextBatchesTest, TargetsAreTheCharactersThatFollow) {
  // Character i has the number i: a window is known by its first one.
  const auto text = ascending(50);
  for (const int64_t steps : {0, 4}) {
    const TextBatches batches(text, TextBatchesOptions(3, 7).steps(steps));
    for (int64_t k = 0; k < batches.size(); ++k) {
      const auto [data, target] = batches.batch(0, k);
      EXPECT_EQ(data.scalar_type(), at::kLong);
      EXPECT_EQ(data.sizes(), target.sizes());
      EXPECT_TRUE(target.equal(data + 1));
      EXPECT_TRUE(data.equal(data.narrow(1, 0, 1) + at::arange(data.size(1), at::kLong)));
    }
  }
}

TEST(TextBatchesTest, WindowsInOrder) {
  const TextBatches batches(ascending(12), TextBatchesOptions(2, 3));
  // 11 targets: 3 whole windows, 2 a batch, and the remainder.
  ASSERT_EQ(batches.size(), 3);
  EXPECT_EQ(numbers(batches.batch(0, 0).data), (std::vector<int64_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(numbers(batches.batch(0, 1).data), (std::vector<int64_t>{6, 7, 8}));
  EXPECT_EQ(numbers(batches.batch(0, 2).data), (std::vector<int64_t>{9, 10}));
  EXPECT_EQ(numbers(batches.batch(0, 2).target), (std::vector<int64_t>{10, 11}));
  EXPECT_EQ(batches.batch(0, 0).data.sizes(), (at::IntArrayRef{2, 3}));
  EXPECT_EQ(batches.batch(0, 1).data.sizes(), (at::IntArrayRef{1, 3}));
  EXPECT_EQ(batches.batch(0, 2).data.sizes(), (at::IntArrayRef{1, 2}));
}

TEST(TextBatchesTest, EveryCharacterButTheFirstIsForetoldOnce) {
  for (int64_t count = 2; count <= 14; ++count) {
    for (int64_t context = 1; context < count; ++context) {
      for (int64_t batch_size = 1; batch_size <= count; ++batch_size) {
        for (const bool drop_last : {false, true}) {
          const TextBatches batches(ascending(count),
                                    TextBatchesOptions(batch_size, context).drop_last(drop_last));
          std::vector<int64_t> seen;
          for (int64_t k = 0; k < batches.size(); ++k) {
            const auto batch = batches.batch(0, k);
            EXPECT_LE(batch.target.size(0), batch_size);
            EXPECT_LE(batch.target.size(1), context);
            EXPECT_GE(batch.target.numel(), 1);
            const auto some = numbers(batch.target);
            seen.insert(seen.end(), some.begin(), some.end());
          }
          const int64_t left_out = drop_last ? (count - 1) % context : 0;
          EXPECT_EQ(seen, numbers(at::arange(1, count - left_out, at::kLong)))
              << count << " " << context << " " << batch_size << " " << drop_last;
          EXPECT_EQ(batches.predictions(), static_cast<int64_t>(seen.size()));
        }
      }
    }
  }
}

TEST(TextBatchesTest, EveryEpochInOrderIsTheSame) {
  const TextBatches batches(ascending(40), TextBatchesOptions(2, 3).seed(5));
  EXPECT_TRUE(batches.batch(7, 3).data.equal(batches.batch(0, 3).data));
}

TEST(TextBatchesTest, RandomWindowsFollowTheirFormula) {
  const auto text = ascending(100);
  const TextBatches batches(text, TextBatchesOptions(4, 9).steps(5).seed(17));
  EXPECT_EQ(batches.size(), 5);
  EXPECT_EQ(batches.predictions(), 5 * 4 * 9);
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    for (int64_t k = 0; k < batches.size(); ++k) {
      const auto data = batches.batch(epoch, k).data;
      EXPECT_EQ(data.sizes(), (at::IntArrayRef{4, 9}));
      for (int64_t row = 0; row < 4; ++row) {
        EXPECT_EQ(data[row][0].item<int64_t>(),
                  random_start(91, 17, static_cast<uint64_t>(epoch), static_cast<uint64_t>(4 * k + row)));
      }
    }
  }
}

TEST(TextBatchesTest, BatchesDoNotDependOnTheOrderOfCallsOrThreads) {
  const auto options = TextBatchesOptions(8, 16).steps(6).seed(4);
  const auto text = ascending(2000);
  const TextBatches forward(text, options), backward(text, options);
  const int threads = at::get_num_threads();
  const auto restore = c10::make_scope_exit([&] { at::set_num_threads(threads); });
  at::set_num_threads(1);
  std::map<std::pair<int64_t, int64_t>, Batch> seen;
  std::set<std::vector<int64_t>> distinct;
  for (const int64_t epoch : {int64_t{0}, int64_t{1}, int64_t{1} << 40}) {
    for (int64_t k = 0; k < forward.size(); ++k) {
      seen[{epoch, k}] = forward.batch(epoch, k);
      EXPECT_TRUE(distinct.insert(numbers(seen[{epoch, k}].data)).second);
    }
  }
  at::set_num_threads(2);
  at::manual_seed(1);
  for (auto item = seen.rbegin(); item != seen.rend(); ++item) {
    const auto again = backward.batch(item->first.first, item->first.second);
    EXPECT_TRUE(again.data.equal(item->second.data));
    EXPECT_TRUE(again.target.equal(item->second.target));
  }
}

TEST(TextBatchesTest, ThreadsMayShareOneLoader) {
  const TextBatches batches(ascending(3000), TextBatchesOptions(5, 11).steps(50).seed(2));
  const auto epoch = [&](int64_t number) {
    std::vector<int64_t> all;
    for (int64_t k = 0; k < batches.size(); ++k) {
      const auto some = numbers(batches.batch(number, k).data);
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  };
  std::vector<std::vector<int64_t>> together(4);
  std::vector<std::thread> threads;
  for (size_t number = 0; number < 4; ++number) {
    threads.emplace_back([&, number] { together[number] = epoch(static_cast<int64_t>(number)); });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  for (size_t number = 0; number < 4; ++number) {
    EXPECT_EQ(together[number], epoch(static_cast<int64_t>(number)));
  }
}

TEST(TextBatchesTest, SeedsDiffer) {
  const auto first = [](uint64_t seed) {
    return numbers(
        TextBatches(ascending(500), TextBatchesOptions(4, 8).steps(2).seed(seed)).batch(0, 0).data);
  };
  EXPECT_EQ(first(1), first(1));
  EXPECT_NE(first(1), first(2));
  EXPECT_NE(first(1), first(uint64_t{1} << 32));
}

TEST(TextBatchesTest, StartsAreUniform) {
  // Every window of 10 + 1 characters out of 17: 7 places, the first and the last among them.
  const TextBatches batches(ascending(17), TextBatchesOptions(10, 10).steps(7000));
  std::vector<int64_t> counts(7);
  for (int64_t k = 0; k < batches.size(); ++k) {
    for (const int64_t start : numbers(batches.batch(0, k).data.select(1, 0))) {
      ++counts.at(static_cast<size_t>(start));
    }
  }
  const double spread = std::sqrt(10000. * 6 / 7);
  for (const int64_t count : counts) {
    EXPECT_NEAR(static_cast<double>(count), 10000, 4.5 * spread);
  }
}

TEST(TextBatchesTest, StartsStayTheSameForGood) {
  // Checkpoints resume by these numbers: a change of them is a change of the format. They come from a second
  // implementation of Philox, in Python, that reproduces the known answers of Random123.
  const std::vector<int64_t> expected = {33083, 555555, 469201, 795876, 293434, 321509, 831010, 846003};
  for (uint64_t window = 0; window < expected.size(); ++window) {
    EXPECT_EQ(random_start(1000003, 1, 2, window), expected[window]);
  }
  EXPECT_EQ(random_start(7, 1, 2, 3), 5);
  EXPECT_EQ(random_start((int64_t{1} << 32) - 1, 5, 0, uint64_t{1} << 40), 2321127301);
  EXPECT_EQ(random_start(1, 5, 0, 0), 0);
}

TEST(TextBatchesTest, TheShortestText) {
  const auto pair = ascending(2);
  EXPECT_EQ(numbers(TextBatches(pair, TextBatchesOptions(1, 1)).batch(0, 0).target), std::vector<int64_t>{1});
  const auto batch = TextBatches(pair, TextBatchesOptions(3, 1).steps(2)).batch(5, 1);
  EXPECT_EQ(numbers(batch.data), (std::vector<int64_t>{0, 0, 0}));
  EXPECT_SAYS(TextBatches(ascending(1), TextBatchesOptions(1, 1)), "context");
}

TEST(TextBatchesTest, ServesStretches) {
  const auto stretch = ascending(100).stretch(60, 11);
  const TextBatches batches(stretch, TextBatchesOptions(5, 2));
  ASSERT_EQ(batches.size(), 1);
  EXPECT_EQ(numbers(batches.batch(0, 0).target), numbers(at::arange(61, 71, at::kLong)));
  const TextBatches random(stretch, TextBatchesOptions(64, 4).steps(1));
  const auto data = random.batch(0, 0).data;
  EXPECT_EQ(data.min().item<int64_t>(), 60);
  EXPECT_EQ(random.batch(0, 0).target.max().item<int64_t>(), 70);
}

TEST(TextBatchesTest, BatchesDoNotAliasTheText) {
  const auto text = ascending(30);
  const TextBatches batches(text, TextBatchesOptions(2, 5));
  auto first = batches.batch(0, 0);
  first.data.fill_(3);
  first.target.fill_(3);
  EXPECT_EQ(numbers(text.ids()), numbers(at::arange(30, at::kLong)));
}

TEST(TextBatchesTest, RejectsWhatCannotBe) {
  const auto text = ascending(20);
  const auto make = [&](const TextBatchesOptions& options) { return TextBatches(text, options); };
  EXPECT_NO_THROW(make({4, 19}));
  EXPECT_SAYS(make({4, 20}),
              "TextBatches: context: expected 1 to 19: a window needs one character more, and of "
              "ascending there are 20 here");
  EXPECT_SAYS(make({4, 0}), "context");
  EXPECT_SAYS(make({4, -5}), "context");
  EXPECT_SAYS(make({0, 5}), "batch_size");
  EXPECT_SAYS(make({-1, 5}), "batch_size");
  EXPECT_SAYS(make({(1 << 30) / 5 + 1, 5}), "batch_size");
  EXPECT_SAYS(make({INT64_MAX, 1}), "batch_size");
  EXPECT_SAYS(make(TextBatchesOptions(4, 5).steps(-1)), "steps");
  EXPECT_SAYS(make(TextBatchesOptions(4, 5).steps(INT64_MAX)), "steps");
  for (const int64_t steps : {0, 2}) {
    const TextBatches batches(text, TextBatchesOptions(2, 6).steps(steps));
    ASSERT_EQ(batches.size(), steps == 0 ? 3 : 2);
    EXPECT_SAYS(batches.batch(0, batches.size()), c10::str("k: expected 0 to ", batches.size() - 1));
    EXPECT_SAYS(batches.batch(0, -1), "k: expected 0 to");
    EXPECT_SAYS(batches.batch(-1, 0), "epoch");
  }
}

}  // namespace
}  // namespace optotorch
