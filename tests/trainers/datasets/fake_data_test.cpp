#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/fake_data.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <support/errors.h>

namespace optotorch {
namespace {

FakeDataOptions small() {
  return FakeDataOptions().size(5).image_size({3, 8, 6}).num_classes(4);
}

TEST(FakeDataTest, IsAFunctionOfIndexAndOffset) {
  const FakeData set(small());
  EXPECT_EQ(set.images().sizes(), (at::IntArrayRef{5, 3, 8, 6}));
  EXPECT_EQ(set.classes(), 4);
  EXPECT_TRUE(FakeData(small()).images().equal(set.images()));
  const FakeData later(small().random_offset(2));
  EXPECT_TRUE(later.images().narrow(0, 0, 3).equal(set.images().narrow(0, 2, 3)));
  EXPECT_TRUE(later.targets().narrow(0, 0, 3).equal(set.targets().narrow(0, 2, 3)));
  EXPECT_FALSE(set.images()[0].equal(set.images()[1]));
  EXPECT_NO_THROW(FakeData(small().random_offset(-3)));
}

/// Image and target as torchvision draws them, from the generator that everybody shares.
TEST(FakeDataTest, DrawsAsTorchvisionDoes) {
  const FakeData set(small().random_offset(7));
  const auto generator = at::globalContext().defaultGenerator(at::kCPU);
  const auto state = generator.get_state();
  const FakeData again(small());
  EXPECT_TRUE(generator.get_state().equal(state));  // left alone
  for (int64_t i = 0; i < 5; ++i) {
    at::manual_seed(static_cast<uint64_t>(7 + i));
    const auto image = at::randn({3, 8, 6});
    EXPECT_EQ(set.targets()[i].item<int64_t>(), at::randint(4, {1}, at::kLong).item<int64_t>());
    EXPECT_TRUE(set.images()[i].equal(image.mul(255).to(at::kInt).bitwise_and(255).to(at::kByte)));
  }
}

TEST(FakeDataTest, IsThereByName) {
  const auto parts = load_image_sets("fake-data", "/nowhere");
  EXPECT_EQ(parts.train.images().sizes(), (at::IntArrayRef{1000, 1, 28, 28}));
  EXPECT_EQ(parts.test.count(), 1000);
  EXPECT_FALSE(parts.train.images().equal(parts.test.images()));
}

TEST(FakeDataTest, RejectsWhatCannotBe) {
  EXPECT_SAYS(FakeData(small().size(0)), "size");
  EXPECT_SAYS(FakeData(small().num_classes(0)), "num_classes");
  EXPECT_SAYS(FakeData(small().image_size({5, 8, 8})), "image_size");
  EXPECT_SAYS(FakeData(small().image_size({0, 8, 8})), "image_size");
  EXPECT_SAYS(FakeData(small().image_size({1, 8, 0})), "image_size");
  EXPECT_SAYS(FakeData(small().image_size({1, int64_t{1} << 40, 2})), "2^40 bytes");
  EXPECT_SAYS(FakeData(small().size(int64_t{1} << 62).image_size({1, int64_t{1} << 40, 2})), "2^40 bytes");
}

}  // namespace
}  // namespace optotorch
