#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/text/sample.h>
#include <support/errors.h>
#include <support/successors.h>
#include <support/texts.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace optotorch {
namespace {

using testing::successors;
using testing::utf8;

/// A network that is any function of the characters.
class FunctionImpl : public torch::nn::Module {
 public:
  explicit FunctionImpl(std::function<at::Tensor(const at::Tensor&)> function)
      : function_(std::move(function)) {}
  at::Tensor forward(const at::Tensor& ids) { return function_(ids); }

 private:
  std::function<at::Tensor(const at::Tensor&)> function_;
};
TORCH_MODULE(Function);

Hybrid network_around(std::function<at::Tensor(const at::Tensor&)> function) {
  return Hybrid(Function(std::move(function)));
}

const Characters letters("letters", "abcdefgh");
constexpr double never = -std::numeric_limits<double>::infinity();

/// a is followed by b, ..., h by a, and by nothing else.
at::Tensor alphabet(double weight, double others) {
  auto logits = at::full({8, 8}, others, at::kDouble);
  for (int64_t i = 0; i < 8; ++i) {
    logits[i][(i + 1) % 8] = weight;
  }
  return logits;
}

TEST(SampleTest, AllWeightOnOneCharacter) {
  for (const auto& logits : {alphabet(1000, 0), alphabet(0, never), alphabet(0, -1e308)}) {
    for (const double temperature : {0., 1e-300, 0.5, 1., 10.}) {
      auto net = successors(logits);
      const auto options = SampleOptions(4).length(11).temperature(temperature).seed(3);
      EXPECT_EQ(sample(*net, letters, "c", options), "defghabcdef") << temperature;
      EXPECT_EQ(sample(*net, letters, "aaaaaaah", options), "abcdefghabc") << temperature;
    }
  }
}

TEST(SampleTest, CharactersOfSeveralBytes) {
  const Characters text("text", utf8(U"a\u00e9\u20ac\U0001f600"));
  const auto logits = alphabet(1000, 0).narrow(0, 0, 4).narrow(1, 0, 4).contiguous();
  logits[3][0] = 1000;
  EXPECT_EQ(sample(*successors(logits), text, utf8(U"\u00e9"), SampleOptions(2).length(5)),
            utf8(U"\u20ac\U0001f600a\u00e9\u20ac"));
}

TEST(SampleTest, TheSameForTheSameSeed) {
  torch::manual_seed(5);
  auto net = successors(at::randn({8, 8}));
  const auto drawn = [&](uint64_t seed, int64_t length = 60) {
    return sample(*net, letters, "ab", SampleOptions(16).length(length).seed(seed));
  };
  const auto text = drawn(1);
  torch::manual_seed(99);
  EXPECT_EQ(drawn(1), text);
  EXPECT_NE(drawn(2), text);
  EXPECT_NE(drawn(1 + (uint64_t{1} << 32)), text);
  EXPECT_EQ(drawn(1, 25), text.substr(0, 25));
  // LibTorch's generator is neither asked nor moved.
  torch::manual_seed(6);
  const auto unmoved = at::globalContext().defaultGenerator(at::kCPU).get_state();
  drawn(7);
  EXPECT_TRUE(at::globalContext().defaultGenerator(at::kCPU).get_state().equal(unmoved));
}

TEST(SampleTest, DrawsStayTheSameForGood) {
  // floor(5 u_n), u_n from a second implementation of Philox, in Python.
  const Characters five("five", "01234");
  EXPECT_EQ(sample(*successors(at::zeros({5, 5})), five, "0", SampleOptions(1).length(12).seed(9)),
            "421440441011");
}

TEST(SampleTest, TemperatureZeroTakesTheMostProbable) {
  auto logits = at::zeros({8, 8});
  logits[0][5] = 1e-3;
  logits[5][7] = 2e-3;
  logits[5][2] = 2e-3;  // the first of equals
  for (const uint64_t seed : {0, 1, 2}) {
    const auto options = SampleOptions(3).length(4).temperature(0).seed(seed);
    EXPECT_EQ(sample(*successors(logits), letters, "a", options), "fcaf");
  }
  // Equals everywhere: the first character.
  EXPECT_EQ(sample(*successors(at::zeros({8, 8})), letters, "g", SampleOptions(3).length(3).temperature(0)),
            "aaa");
}

// 20000 draws of which each has the same distribution.
TEST(SampleTest, FrequenciesAreThoseOfTheSoftmax) {
  constexpr int64_t length = 20000;
  const auto row = at::tensor({0.3, -1., 1.5, never, 0., -2.5, 0.7, 0.}, at::kDouble);
  auto net = successors(row.expand({8, 8}).contiguous());
  for (const double temperature : {0.5, 1., 2.}) {
    const auto text =
        sample(*net, letters, "a", SampleOptions(1).length(length).temperature(temperature).seed(11));
    const auto expected = (row / temperature).softmax(0);
    for (int64_t i = 0; i < 8; ++i) {
      const double p = expected[i].item<double>();
      const auto found = std::count(text.begin(), text.end(), static_cast<char>('a' + i));
      EXPECT_NEAR(static_cast<double>(found), p * length, 4.5 * std::sqrt(p * (1 - p) * length))
          << temperature << " " << i;
    }
  }
}

TEST(SampleTest, TheNetworkSeesTheLastCharacters) {
  std::vector<std::string> seen;
  bool training = false;
  Hybrid net = nullptr;
  net = network_around([&](const at::Tensor& ids) {
    EXPECT_EQ(ids.scalar_type(), at::kLong);
    EXPECT_EQ(ids.size(0), 1);
    EXPECT_FALSE(at::GradMode::is_enabled());
    training = training || net->is_training();
    seen.push_back(letters.decode(ids[0]));
    // Only the last position counts: the others say h.
    auto logits = at::zeros({1, ids.size(1), 8});
    logits.select(2, 7).fill_(1000);
    logits[0][-1].copy_(alphabet(2000, 0)[ids[0][-1].item<int64_t>()]);
    return logits;
  });
  EXPECT_EQ(sample(*net, letters, "ab", SampleOptions(4).length(5)), "cdefg");
  EXPECT_EQ(seen, (std::vector<std::string>{"ab", "abc", "abcd", "bcde", "cdef"}));
  seen.clear();
  sample(*net, letters, "abcdefgh", SampleOptions(3).length(2));
  EXPECT_EQ(seen, (std::vector<std::string>{"fgh", "gha"}));
  EXPECT_FALSE(training);
}

TEST(SampleTest, TheNetworkIsLeftInItsMode) {
  const auto options = SampleOptions(4).length(3);
  auto net = successors(alphabet(10, 0)), broken = successors(alphabet(NAN, 0));
  for (const bool training : {true, false}) {
    net->train(training);
    broken->train(training);
    sample(*net, letters, "a", options);
    EXPECT_EQ(net->is_training(), training);
    EXPECT_SAYS(sample(*broken, letters, "a", options), "NaN");
    EXPECT_EQ(broken->is_training(), training);
  }
}

TEST(SampleTest, RejectsWhatCannotBe) {
  auto net = successors(alphabet(10, 0));
  const auto drawing = [&](const std::string& prompt, const SampleOptions& options) {
    return sample(*net, letters, prompt, options);
  };
  EXPECT_NO_THROW(drawing("a", SampleOptions(1).length(1)));
  EXPECT_SAYS(drawing("", 4), "sample: prompt: expected at least one character");
  EXPECT_SAYS(drawing("abz", 4),
              "letters: prompt: expected the 8 characters of its vocabulary, got U+007A 'z'");
  EXPECT_SAYS(drawing("a\n", 4), "got U+000A at byte 1");
  EXPECT_SAYS(drawing("a\xC3", 4), "letters: prompt: expected UTF-8");
  for (const int64_t length : {int64_t{0}, int64_t{-1}, int64_t{1000001}, INT64_MAX}) {
    EXPECT_SAYS(drawing("a", SampleOptions(4).length(length)), "sample: length: expected 1 to 1000000");
  }
  for (const double temperature : {-1., -1e-300, double{NAN}, double{INFINITY}, -double{INFINITY}}) {
    EXPECT_SAYS(drawing("a", SampleOptions(4).temperature(temperature)), "sample: temperature: ");
  }
  EXPECT_SAYS(drawing("a", 0), "sample: context: ");
  EXPECT_SAYS(drawing("a", -3), "sample: context: ");
}

TEST(SampleTest, RejectsNetworksThatGiveSomethingElse) {
  const auto drawing = [&](const std::function<at::Tensor(const at::Tensor&)>& function) {
    return sample(*network_around(function), letters, "abc", 4);
  };
  const auto giving = [&](const at::Tensor& output) {
    return drawing([output](const at::Tensor&) { return output; });
  };
  EXPECT_SAYS(giving(at::zeros({1, 3, 9})), "real logits [1, 3, 8] for int64 [1, 3], got float32 [1, 3, 9]");
  EXPECT_SAYS(giving(at::zeros({1, 8})), "got float32 [1, 8]");
  EXPECT_SAYS(giving(at::zeros({1, 2, 8})), "got float32 [1, 2, 8]");
  EXPECT_SAYS(giving(at::zeros({3, 1, 8})), "got float32 [3, 1, 8]");
  EXPECT_SAYS(giving(at::zeros({1, 3, 8}, at::kLong)), "got int64");
  EXPECT_SAYS(giving(at::zeros({1, 3, 8}, at::kComplexFloat)), "got complex64");
  auto logits = at::zeros({1, 3, 8});
  for (const double bad : {double{NAN}, double{INFINITY}}) {
    logits[0][2][4] = bad;
    EXPECT_SAYS(giving(logits), "sample: model: expected logits that are finite");
  }
  logits.fill_(never);
  EXPECT_SAYS(giving(logits), "nothing but -inf");
  // What stands behind the other characters does not matter.
  logits[0][2].fill_(0);
  EXPECT_SAYS(giving(logits), "[1, 4, 8]");
}

}  // namespace
}  // namespace optotorch
