// Parts of batches: whoever cuts them, together they are the batch.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/transforms/describe_transform.h>
#include <optotorch/trainers/prefetched_batches.h>
#include <support/errors.h>
#include <support/random_images.h>

namespace optotorch {
namespace {

/// A source that knows nothing of parts.
class Whole : public BatchSource {
 public:
  explicit Whole(const BatchSource& source) : source_(source) {}
  int64_t size() const override { return source_.size(); }
  Batch batch(int64_t epoch, int64_t index) const override { return source_.batch(epoch, index); }

 private:
  const BatchSource& source_;
};

void expect_parts(const BatchSource& source, const BatchSource& reference) {
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    for (int64_t k = 0; k < source.size(); ++k) {
      const auto whole = reference.batch(epoch, k);
      for (const int64_t parts : {1, 2, 3, 7}) {
        std::vector<at::Tensor> data, target;
        for (int64_t part = 0; part < parts; ++part) {
          const auto one = source.part(epoch, k, part, parts);
          EXPECT_EQ(one.data.size(0), one.target.size(0));
          data.push_back(one.data);
          target.push_back(one.target);
        }
        EXPECT_TRUE(at::cat(data).equal(whole.data)) << parts;
        EXPECT_TRUE(at::cat(target).equal(whole.target)) << parts;
      }
    }
  }
}

TEST(BatchSourceTest, PartsAreEvenAndWhole) {
  for (int64_t n = 0; n < 20; ++n) {
    for (int64_t parts = 1; parts < 9; ++parts) {
      int64_t next = 0;
      for (int64_t part = 0; part < parts; ++part) {
        const auto [first, count] = part_of(n, part, parts);
        EXPECT_EQ(first, next);
        EXPECT_TRUE(count == n / parts || count == (n + parts - 1) / parts);
        next += count;
      }
      EXPECT_EQ(next, n);
    }
  }
  EXPECT_SAYS(part_of(5, 2, 2), "part: expected 0 to 1 of 2, got 2");
  EXPECT_SAYS(part_of(5, -1, 2), "got -1");
  EXPECT_SAYS(part_of(5, 0, 0), "part");
}

TEST(BatchSourceTest, PartsOfAnySourceAreTheBatch) {
  const ImageBatches batches(testing::random_images(23), ImageBatchesOptions(8).shuffle(true).seed(3).shift(2).flip(true));
  expect_parts(batches, batches);
  expect_parts(Whole(batches), batches);
}

TEST(BatchSourceTest, PartsOfTransformedImagesAreTheBatch) {
  const std::shared_ptr<const transforms::Transform> transform =
      transforms::build_transform(R"([{"type": "RandomCrop", "size": [5, 5]}, {"type": "RandomHorizontalFlip"}])");
  const ImageBatches batches(testing::random_images(11),
                             ImageBatchesOptions(4).shuffle(true).seed(3).transform(transform));
  expect_parts(batches, batches);
}

TEST(BatchSourceTest, PartsOfPrefetchedBatchesAreTheSources) {
  const auto batches =
      std::make_shared<ImageBatches>(testing::random_images(23), ImageBatchesOptions(8).shuffle(true).seed(3));
  expect_parts(PrefetchedBatches(batches, PrefetchedBatchesOptions(2)), *batches);
}

}  // namespace
}  // namespace optotorch
