#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/headers.h>
#include <support/errors.h>

namespace optotorch {
namespace {

TEST(HeadersTest, AFrameShowsTheStreamAndItsNewestBitsAreTheHeader) {
  const HeaderBatches whole(HeaderBatchesOptions(3).window(5).mirrors(2).samples(200).seed(4));
  EXPECT_EQ(whole.inputs(), 10);
  EXPECT_EQ(whole.classes(), 8);
  EXPECT_EQ(whole.size(), 1);
  const auto [data, target] = whole.batch(0, 0);
  ASSERT_EQ(data.sizes(), (at::IntArrayRef{200, 10}));
  ASSERT_EQ(target.scalar_type(), at::kLong);
  for (int64_t k = 0; k < 200; ++k) {
    int64_t header = 0;
    for (int64_t bit = 0; bit < 5; ++bit) {
      const auto value = data[k][2 * bit].item<float>();
      EXPECT_TRUE(value == 0 || value == 1);
      EXPECT_EQ(data[k][2 * bit + 1].item<float>(), value);
      if (k > 0 && bit < 4) {
        EXPECT_EQ(data[k - 1][2 * (bit + 1)].item<float>(), value);
      }
      header = bit < 2 ? 0 : 2 * header + static_cast<int64_t>(value);
    }
    EXPECT_EQ(target[k].item<int64_t>(), header);
  }
  EXPECT_EQ((at::bincount(target, {}, 8) > 0).sum().item<int64_t>(), 8);
}

TEST(HeadersTest, BatchesAreAPureFunction) {
  const auto options = HeaderBatchesOptions(4).samples(50).seed(1);
  const auto all = HeaderBatches(options).batch(0, 0);
  const HeaderBatches parts(HeaderBatchesOptions(options).batch_size(20));
  EXPECT_EQ(parts.size(), 3);
  const auto last = parts.batch(7, 2);
  EXPECT_TRUE(last.data.equal(all.data.narrow(0, 40, 10)));
  EXPECT_TRUE(last.target.equal(all.target.narrow(0, 40, 10)));
  EXPECT_FALSE(HeaderBatches(HeaderBatchesOptions(options).seed(2)).batch(0, 0).data.equal(all.data));
}

TEST(HeadersTest, WrongOptionsAreRejected) {
  EXPECT_SAYS(HeaderBatches(0), "bits");
  EXPECT_SAYS(HeaderBatches(17), "bits");
  EXPECT_SAYS(HeaderBatches(HeaderBatchesOptions(4).window(3)), "window");
  EXPECT_SAYS(HeaderBatches(HeaderBatchesOptions(4).mirrors(0)), "mirrors");
  EXPECT_SAYS(HeaderBatches(HeaderBatchesOptions(4).samples(0)), "samples");
  EXPECT_SAYS(HeaderBatches(HeaderBatchesOptions(4).batch_size(-1)), "batch_size");
  const HeaderBatches batches(4);
  EXPECT_SAYS(batches.batch(-1, 0), "epoch, index");
  EXPECT_SAYS(batches.batch(0, 1), "epoch, index");
}

}  // namespace
}  // namespace optotorch
