#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/prefetched_batches.h>
#include <support/errors.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>

namespace optotorch {
namespace {

/// Says where a batch comes from, and remembers what was asked of it.
class NumberedBatches : public BatchSource {
 public:
  explicit NumberedBatches(int64_t size) : size_(size) {}
  int64_t size() const override { return size_; }
  Batch batch(int64_t epoch, int64_t index) const override {
    if (slow) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    const std::lock_guard lock(mutex_);
    asked_.insert({epoch, index});
    ++calls;
    threads = std::max(threads, at::get_num_threads());
    OPTOTORCH_CHECK(index != broken, .where = "Numbers", .argument = "index", .expected = "a whole one",
                    .got = "a broken one");
    return {at::full({1}, epoch * 1000 + index, at::kLong), at::full({1}, index, at::kLong)};
  }
  std::set<std::pair<int64_t, int64_t>> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  int64_t broken = -1;
  bool slow = false;
  mutable int calls = 0, threads = 0;

 private:
  int64_t size_;
  mutable std::mutex mutex_;
  mutable std::set<std::pair<int64_t, int64_t>> asked_;
};

void expect_batch(const BatchSource& source, int64_t epoch, int64_t index) {
  EXPECT_EQ(source.batch(epoch, index).data.item<int64_t>(), epoch * 1000 + index);
}

TEST(PrefetchedBatches, AreThoseOfTheSourceForAnyNumberOfWorkers) {
  for (const int64_t workers : {1, 2, 7}) {
    const auto numbers = std::make_shared<NumberedBatches>(13);
    const PrefetchedBatches batches(numbers, PrefetchedBatchesOptions(workers).ahead(5));
    EXPECT_EQ(batches.size(), 13);
    for (int64_t epoch = 0; epoch < 3; ++epoch) {
      for (int64_t k = 0; k < 13; ++k) {
        expect_batch(batches, epoch, k);
      }
    }
  }
}

TEST(PrefetchedBatches, GoOnFromAnyPlace) {
  const PrefetchedBatches batches(std::make_shared<NumberedBatches>(5), PrefetchedBatchesOptions(2).ahead(3));
  for (const auto& [epoch, k] : std::vector<std::pair<int64_t, int64_t>>{
           {0, 3}, {0, 4}, {1, 0}, {0, 0}, {7, 2}, {7, 2}, {7, 3}, {2, 4}, {3, 0}}) {
    expect_batch(batches, epoch, k);
  }
}

TEST(PrefetchedBatches, StayWithinTheBound) {
  const auto numbers = std::make_shared<NumberedBatches>(100);
  {
    const PrefetchedBatches batches(numbers, PrefetchedBatchesOptions(3).ahead(4));
    expect_batch(batches, 0, 98);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  const std::set<std::pair<int64_t, int64_t>> most{{0, 98}, {0, 99}, {1, 0}, {1, 1}, {1, 2}};
  const auto asked = numbers->asked();
  EXPECT_TRUE(std::includes(most.begin(), most.end(), asked.begin(), asked.end()));
  EXPECT_EQ(numbers->threads, 1);
}

TEST(PrefetchedBatches, PrepareEveryBatchOnce) {
  const auto numbers = std::make_shared<NumberedBatches>(40);
  {
    const PrefetchedBatches batches(numbers, PrefetchedBatchesOptions(2).ahead(4));
    for (int64_t k = 0; k < 40; ++k) {
      expect_batch(batches, 0, k);
    }
  }
  EXPECT_LE(numbers->calls, 44);
  EXPECT_GE(numbers->calls, 40);
}

TEST(PrefetchedBatches, ErrorsComeWhereTheirBatchIsAsked) {
  const auto numbers = std::make_shared<NumberedBatches>(10);
  numbers->broken = 3;
  const PrefetchedBatches batches(numbers, 2);
  for (int64_t k = 0; k < 10; ++k) {
    if (k == 3) {
      EXPECT_SAYS(batches.batch(0, k), "a broken one");
      EXPECT_SAYS(batches.batch(0, k), "a broken one");
    } else {
      expect_batch(batches, 0, k);
    }
  }
}

/// One asks for what the other's question makes unwanted.
TEST(PrefetchedBatches, ServeSeveralThreads) {
  const auto numbers = std::make_shared<NumberedBatches>(50);
  numbers->slow = true;
  const PrefetchedBatches batches(numbers, PrefetchedBatchesOptions(1).ahead(2));
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&batches, &right, thread] {
      for (int64_t k = 0; k < 20; ++k) {
        const auto epoch = 10 * thread;
        right += batches.batch(epoch, k).data.item<int64_t>() == epoch * 1000 + k ? 1 : 0;
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(right, 80);
}

TEST(PrefetchedBatches, RefuseWrongOptions) {
  const auto numbers = std::make_shared<NumberedBatches>(5);
  EXPECT_SAYS(PrefetchedBatches(nullptr, 1), "a BatchSource, got nullptr");
  EXPECT_SAYS(PrefetchedBatches(numbers, 0), "workers: expected 1 to 1024, got 0");
  EXPECT_SAYS(PrefetchedBatches(numbers, PrefetchedBatchesOptions(1).ahead(-1)), "ahead: expected 1 to 2^20");
  const PrefetchedBatches batches(numbers, 1);
  EXPECT_SAYS(batches.batch(0, 5), "0 to 4 of an epoch from 0 on, got 5 of epoch 0");
  EXPECT_SAYS(batches.batch(-1, 0), "got 0 of epoch -1");
}

}  // namespace
}  // namespace optotorch
