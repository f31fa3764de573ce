#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/util/ScopeExit.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/text/ngrams.h>
#include <optotorch/trainers/datasets/text/text_split.h>
#include <optotorch/trainers/datasets/text/tiny_shakespeare.h>
#include <support/errors.h>
#include <support/texts.h>

#include <cmath>
#include <filesystem>
#include <map>

namespace optotorch {
namespace {

using testing::ascending;
using testing::babble;
using testing::numbers;
using testing::shared_datasets;

double slow_bigram_bits(const Characters& train, const Characters& test) {
  const auto from = numbers(train.ids()), to = numbers(test.ids());
  std::map<std::pair<int64_t, int64_t>, int64_t> pairs;
  std::map<int64_t, int64_t> firsts;
  for (size_t i = 1; i < from.size(); ++i) {
    ++pairs[{from[i - 1], from[i]}];
    ++firsts[from[i - 1]];
  }
  double bits = 0;
  for (size_t i = 1; i < to.size(); ++i) {
    const auto n = pairs.find({to[i - 1], to[i]});
    const auto all = firsts.find(to[i - 1]);
    const double p = ((n == pairs.end() ? 0 : n->second) + 1.) /
                     static_cast<double>((all == firsts.end() ? 0 : all->second) + train.vocabulary_size());
    bits -= std::log2(p);
  }
  return bits / static_cast<double>(to.size() - 1);
}

double slow_unigram_bits(const Characters& train, const Characters& test) {
  const auto from = numbers(train.ids()), to = numbers(test.ids());
  std::map<int64_t, int64_t> counts;
  for (const int64_t id : from) {
    ++counts[id];
  }
  double bits = 0;
  for (size_t i = 1; i < to.size(); ++i) {
    bits -= std::log2((counts[to[i]] + 1.) / static_cast<double>(train.count() + train.vocabulary_size()));
  }
  return bits / static_cast<double>(to.size() - 1);
}

TEST(NgramsTest, ByHand) {
  // Behind a: b twice; behind b: a once. Vocabulary a, b, c.
  const Characters text("text", "ababbac");
  const auto train = text.stretch(0, 4), test = text.stretch(3, 4);
  // b: (0 + 1) / (1 + 3), a: (1 + 1) / (1 + 3), c: (0 + 1) / (2 + 3).
  EXPECT_NEAR(bigram_bits(train, test), (2 + 1 + std::log2(5)) / 3, 1e-14);
  // b, a: (2 + 1) / (4 + 3), c: 1 / 7.
  EXPECT_NEAR(unigram_bits(train, test), std::log2(7) - 2 * std::log2(3) / 3, 1e-14);
}

TEST(NgramsTest, AgreeWithTables) {
  for (const size_t distinct : {1, 2, 7, 26}) {
    for (const size_t count : {20, 300, 20000}) {
      const Characters text("text", babble(count, distinct));
      const auto train = text.part(Characters::Mode::train), test = text.part(Characters::Mode::test);
      const double bigram = bigram_bits(train, test), unigram = unigram_bits(train, test);
      EXPECT_NEAR(bigram, slow_bigram_bits(train, test), 1e-12 * bigram) << distinct << " " << count;
      EXPECT_NEAR(unigram, slow_unigram_bits(train, test), 1e-12 * unigram) << distinct << " " << count;
    }
  }
}

TEST(NgramsTest, WhatIsCertainCostsLittle) {
  std::string text;
  for (int i = 0; i < 10000; ++i) {
    text += "abc";
  }
  const Characters cycle("cycle", text);
  EXPECT_LT(bigram_bits(cycle, cycle), 1e-3);
  EXPECT_NEAR(unigram_bits(cycle, cycle), std::log2(3), 1e-6);
  const Characters same("same", "aaaa");
  EXPECT_EQ(bigram_bits(same, same), 0);
  EXPECT_EQ(unigram_bits(same, same), 0);
}

TEST(NgramsTest, OfManyCharacters) {
  // A table of all pairs would take 28 GB.
  const auto text = ascending(60000);
  const auto train = text.part(Characters::Mode::train), test = text.part(Characters::Mode::test);
  EXPECT_NEAR(bigram_bits(train, test), std::log2(60000), 1e-10);
  EXPECT_NEAR(bigram_bits(train, train), std::log2(60001) - 1, 1e-10);
}

TEST(NgramsTest, DoNotDependOnThreads) {
  const Characters text("text", babble(200000, 26));
  const int threads = at::get_num_threads();
  const auto restore = c10::make_scope_exit([&] { at::set_num_threads(threads); });
  at::set_num_threads(1);
  const double bigram = bigram_bits(text, text), unigram = unigram_bits(text, text);
  at::set_num_threads(2);
  EXPECT_EQ(bigram_bits(text, text), bigram);
  EXPECT_EQ(unigram_bits(text, text), unigram);
}

TEST(NgramsTest, RejectOtherVocabulariesAndNoPairs) {
  const Characters text("text", "abcab"), other("other", "abdab");
  for (const auto bits : {bigram_bits, unigram_bits}) {
    EXPECT_SAYS(bits(text, other), "the vocabulary of the text to train on");
    EXPECT_SAYS(bits(text.stretch(0, 1), text), "train: expected at least 2 characters, got 1");
    EXPECT_SAYS(bits(text, text.stretch(4, 1)), "test: expected at least 2 characters, got 1");
    EXPECT_NO_THROW(bits(text.stretch(0, 2), text.stretch(3, 2)));
  }
}

TEST(NgramsTest, OfTinyShakespeare) {
  if (!std::filesystem::exists(shared_datasets + "/tinyshakespeare/input.txt")) {
    GTEST_SKIP() << "the text is not in " << shared_datasets << "/tinyshakespeare";
  }
  const TinyShakespeare train(shared_datasets), test(shared_datasets, Characters::Mode::test);
  const double bigram = bigram_bits(train, test), unigram = unigram_bits(train, test);
  EXPECT_NEAR(bigram, slow_bigram_bits(train, test), 1e-11);
  EXPECT_NEAR(unigram, slow_unigram_bits(train, test), 1e-11);
  // From a program of its own, in Python.
  EXPECT_NEAR(bigram, 3.5806095757, 1e-9);
  EXPECT_NEAR(unigram, 4.8291408077, 1e-9);
  const auto [training, validation] = split(train, 0.1);
  EXPECT_NEAR(bigram_bits(training, validation), 3.6012294961, 1e-9);
}

}  // namespace
}  // namespace optotorch
