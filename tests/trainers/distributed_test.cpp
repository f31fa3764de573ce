// Ranks, here threads of one process, which meet in a file.

#include <gtest/gtest.h>
#include <optotorch/trainers/detail/team.h>
#include <optotorch/trainers/distributed.h>
#include <support/errors.h>
#include <support/temporary_folder.h>
#include <torch/nn/modules/linear.h>

#include <functional>
#include <thread>

namespace optotorch {
namespace {

using testing::TemporaryFolder;

/// Runs `work` as each of so many ranks; what a rank throws is its text, "" if nothing, "ended" for RankEnded.
std::vector<std::string> as_ranks(int64_t count, const std::function<void(Distributed&)>& work,
                                  double timeout = 20) {
  const TemporaryFolder folder;
  std::vector<std::string> ends(static_cast<size_t>(count));
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < count; ++rank) {
    threads.emplace_back([&, rank] {
      auto& end = ends[static_cast<size_t>(rank)];
      std::unique_ptr<Distributed> ranks;
      try {
        ranks = std::make_unique<Distributed>(
            DistributedOptions(rank, count).file(folder.path() + "/store").timeout(timeout));
        work(*ranks);
      } catch (const RankEnded&) {
        end = "ended";
      } catch (const c10::Error& error) {
        end = error.what_without_backtrace();
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  return ends;
}

TEST(DistributedTest, SumsAreThoseOfAllRanks) {
  const auto ends = as_ranks(3, [](Distributed& ranks) {
    const auto rank = static_cast<double>(ranks.rank());
    EXPECT_EQ(ranks.world_size(), 3);
    EXPECT_EQ(ranks.sum({rank, 10.0}), (std::vector<double>{3, 30}));
    EXPECT_TRUE(ranks.sum({}).empty());
  });
  EXPECT_EQ(ends, (std::vector<std::string>{"", "", ""}));
}

TEST(DistributedTest, WeightedMeansKeepTypesShapesAndViews) {
  const auto ends = as_ranks(2, [](Distributed& ranks) {
    const double rank = static_cast<double>(ranks.rank());
    auto whole = torch::zeros({4, 3});
    const auto column = whole.select(1, 1);  // strided
    column.fill_(1 + rank);
    const auto wide = torch::full({2, 2}, 1 + rank, torch::kFloat64);
    const auto field = torch::complex(torch::full({2}, rank), torch::full({2}, 1.0F));
    const auto empty = torch::zeros({0, 5});
    const auto sums =
        ranks.weighted_mean({column, wide, field, empty}, ranks.rank() == 0 ? 2 : 6, {rank, 5.0});
    EXPECT_EQ(sums, (std::vector<double>{1, 10}));
    EXPECT_TRUE(column.equal(torch::full({4}, 1.75)));
    EXPECT_EQ(whole.sum().item<float>(), 7);  // nothing beside the column was touched
    EXPECT_TRUE(wide.equal(torch::full({2, 2}, 1.75, torch::kFloat64)));
    EXPECT_TRUE(field.equal(torch::complex(torch::full({2}, 0.75), torch::full({2}, 1.0F))));
  });
  EXPECT_EQ(ends, (std::vector<std::string>{"", ""}));
}

TEST(DistributedTest, GathersTextsByRank) {
  const auto ends = as_ranks(3, [](Distributed& ranks) {
    const auto all = ranks.gather("names", std::string(static_cast<size_t>(ranks.rank()), 'x'));
    EXPECT_EQ(all, (std::vector<std::string>{"", "x", "xx"}));
  });
  EXPECT_EQ(ends, (std::vector<std::string>{"", "", ""}));
}

TEST(DistributedTest, OneRankSaysWhatDiffers) {
  const auto ends = as_ranks(3, [](Distributed& ranks) {
    ranks.require_same("settings", "a 1\nb 2", "Never said");
    ranks.require_same("weights", ranks.rank() == 2 ? "a 1\nb 3\nc" : "a 1\nb 2\nc", "Seed them alike");
    ADD_FAILURE() << "rank " << ranks.rank() << " went on";
  });
  EXPECT_NE(ends[0].find("weights: expected the same on all ranks, got 'b 2' on rank 0 and 'b 3' on rank 2"),
            std::string::npos)
      << ends[0];
  EXPECT_NE(ends[0].find("Seed them alike"), std::string::npos);
  EXPECT_EQ(ends[1], "ended");
  EXPECT_EQ(ends[2], "ended");
}

/// Two batches, of one value.
class Constant : public BatchSource {
 public:
  explicit Constant(double value) : value_(value) {}
  int64_t size() const override { return 2; }
  Batch batch(int64_t, int64_t) const override {
    return {torch::full({3, 4}, value_), torch::zeros({3}, torch::kLong)};
  }

 private:
  double value_;
};

TEST(DistributedTest, RanksBeginAlike) {
  const auto begin = [](const std::function<double(int64_t rank)>& data,
                        const std::function<double(int64_t rank)>& weight,
                        const std::function<std::string(int64_t rank)>& place) {
    return as_ranks(2, [&](Distributed& ranks) {
      const std::shared_ptr<Distributed> shared(&ranks, [](Distributed*) {});
      Hybrid net(torch::nn::Linear(4, 2));
      const torch::NoGradGuard no_grad;
      for (auto& parameter : net->parameters()) {
        parameter.fill_(weight(ranks.rank()));
      }
      Team(shared, /*own_hardware=*/false)
          .require_same_start(*net, Constant(data(ranks.rank())), place(ranks.rank()));
    });
  };
  const auto same = [](int64_t) { return 1.0; };
  const auto own = [](int64_t rank) { return static_cast<double>(rank); };
  const auto here = [](int64_t) { return std::string("epoch 1 batch 2"); };
  EXPECT_EQ(begin(same, same, here), (std::vector<std::string>{"", ""}));
  const auto expect = [](const std::vector<std::string>& ends, const std::string& text) {
    EXPECT_NE(ends[0].find(text), std::string::npos) << ends[0];
    EXPECT_EQ(ends[1], "ended");
  };
  expect(begin(own, same, here), "training data: expected the same on all ranks, got 'first data");
  expect(begin(same, own, here), "weights: expected the same on all ranks, got '0.weight");
  expect(begin(same, same, [](int64_t rank) { return "epoch 0 batch " + std::to_string(rank); }),
         "place in the run: expected the same on all ranks, got 'epoch 0 batch 0' on rank 0 and 'epoch 0 "
         "batch 1'");
}

TEST(DistributedTest, WhoFailsSpeaksForAll) {
  const auto ends = as_ranks(2, [](Distributed& ranks) {
    if (ranks.rank() == 1) {
      EXPECT_TRUE(ranks.fail());
      throw c10::ValueError({__func__, __FILE__, __LINE__}, "no more paper");
    }
    ranks.sum({1.0});
  });
  EXPECT_EQ(ends[0], "ended");
  EXPECT_EQ(ends[1], "no more paper");
}

TEST(DistributedTest, TheLossOfARankIsSaidOnce) {
  const auto ends = as_ranks(3, [](Distributed& ranks) {
    if (ranks.rank() > 0) {
      ranks.sum({1.0});
    }  // rank 0 leaves without a word, as one that is killed
  });
  EXPECT_EQ(ends[0], "");
  const std::string lost = "expected all 3 at work, got one that is lost";
  const bool one = ends[1].find(lost) != std::string::npos, other = ends[2].find(lost) != std::string::npos;
  EXPECT_NE(one, other) << ends[1] << "\n" << ends[2];
  EXPECT_EQ(one ? ends[2] : ends[1], "ended");
}

TEST(DistributedTest, WhoeverWaitsLearnsOfAFailure) {
  const auto ends = as_ranks(2, [](Distributed& ranks) {
    if (ranks.rank() == 1) {
      EXPECT_TRUE(ranks.fail());
      EXPECT_FALSE(ranks.fail());  // once is enough
      return;
    }
    ranks.gather("begun", "");
  });
  EXPECT_EQ(ends[0], "ended");
}

TEST(DistributedTest, RejectsBadOptions) {
  const auto made = [](const DistributedOptions& options) { return Distributed(options).rank(); };
  EXPECT_SAYS(made({2, 2}), "rank: expected 0 to 1, got 2");
  EXPECT_SAYS(made({-1, 2}), "rank: expected 0 to 1, got -1");
  EXPECT_SAYS(made({0, 0}), "world_size: expected 1 to");
  EXPECT_SAYS(made(DistributedOptions(0, 2).port(0)), "port: expected 1 to 65535");
  EXPECT_SAYS(made(DistributedOptions(0, 2).timeout(0)), "timeout: expected seconds, above 0");
  EXPECT_SAYS(made(DistributedOptions(1, 2).port(9).timeout(0.5)),
              "the store at 127.0.0.1:9: expected all 2 ranks");
}

TEST(DistributedTest, RanksOfTheEnvironment) {
  const auto set = [](const char* name, const char* value) {
    value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1);
  };
  for (const char* name :
       {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RESTART_COUNT"}) {
    set(name, nullptr);
  }
  EXPECT_EQ(Distributed::from_environment(), nullptr);
  EXPECT_EQ(Distributed::restarts(), 0);
  set("WORLD_SIZE", "2");
  EXPECT_SAYS(Distributed::from_environment(), "RANK: expected an integer from 0 to 1, got none");
  set("RANK", "2");
  EXPECT_SAYS(Distributed::from_environment(), "RANK: expected an integer from 0 to 1, got '2'");
  set("RANK", "1x");
  EXPECT_SAYS(Distributed::from_environment(), "got '1x'");
  set("RANK", "0");
  EXPECT_SAYS(Distributed::from_environment(), "MASTER_ADDR: expected the host of rank 0, got none");
  set("MASTER_ADDR", "localhost");
  EXPECT_SAYS(Distributed::from_environment(), "MASTER_PORT");
  set("WORLD_SIZE", "1");
  EXPECT_EQ(Distributed::from_environment(), nullptr);  // a world of one
  set("TORCHELASTIC_RESTART_COUNT", "3");
  EXPECT_EQ(Distributed::restarts(), 3);
  for (const char* name : {"RANK", "WORLD_SIZE", "MASTER_ADDR", "TORCHELASTIC_RESTART_COUNT"}) {
    set(name, nullptr);
  }
}

}  // namespace
}  // namespace optotorch
