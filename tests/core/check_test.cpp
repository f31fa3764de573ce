#include <gtest/gtest.h>
#include <optotorch/core/check.h>

namespace optotorch {
namespace {

TEST(CheckTest, NearestNameIsAMistypedOne) {
  const std::vector<std::string> known{"bp", "tpfp", "train", "mnist-hybrid", "fashion-mnist", "vit"};
  EXPECT_EQ(nearest_name("tpf", known), "tpfp");
  EXPECT_EQ(nearest_name("trian", known), "train");  // two letters swapped are one edit
  EXPECT_EQ(nearest_name("mnist-hybird", known), "mnist-hybrid");
  EXPECT_EQ(nearest_name("fashon-mnist", known), "fashion-mnist");
  EXPECT_EQ(nearest_name("MNIST-Hybrid", known), "mnist-hybrid");
  EXPECT_EQ(nearest_name("bq", known), "bp");
}

TEST(CheckTest, AnotherWordIsNearToNothing) {
  const std::vector<std::string> known{"bp", "tpfp", "mnist-hybrid", "vit"};
  for (const auto* word : {"resnet", "x", "", "--help", "hybrid", "transformer"}) {
    EXPECT_EQ(nearest_name(word, known), "") << word;
  }
  EXPECT_EQ(nearest_name("bp", {}), "");
}

}  // namespace
}  // namespace optotorch
