#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/image_set.h>
#include <optotorch/trainers/datasets/mnist.h>
#include <optotorch/trainers/datasets/split.h>
#include <support/errors.h>
#include <torch/data/dataloader.h>
#include <torch/data/datasets/map.h>
#include <torch/data/samplers/sequential.h>
#include <torch/data/transforms/stack.h>

namespace optotorch {
namespace {

/// Sample i is filled with pixel value i, of class i % 3.
ImageSet numbered(int64_t count) {
  const auto number = at::arange(count, at::kLong);
  return {"numbered",
          number.to(at::kByte).view({count, 1, 1, 1}).expand({count, 1, 3, 4}),
          number % 3,
          {"a", "b", "c"}};
}

TEST(ImageSetTest, TellsWhatItHolds) {
  const ImageSet set = numbered(10);
  EXPECT_EQ(set.count(), 10);
  EXPECT_EQ(set.size().value(), 10u);
  EXPECT_EQ(set.classes(), 3);
  EXPECT_EQ(set.channels(), 1);
  EXPECT_EQ(set.height(), 3);
  EXPECT_EQ(set.width(), 4);
  EXPECT_TRUE(set.pixels().is_contiguous());
  EXPECT_EQ(set.images().sizes(), (at::IntArrayRef{10, 1, 3, 4}));
}

TEST(ImageSetTest, GivesExamples) {
  ImageSet set = numbered(256);
  const auto example = set.get(51);
  EXPECT_EQ(example.data.scalar_type(), at::kFloat);
  EXPECT_EQ(example.data.sizes(), (at::IntArrayRef{1, 3, 4}));
  EXPECT_TRUE(example.data.equal(at::full({1, 3, 4}, 0.2f)));
  EXPECT_EQ(set.get(255).data.max().item<float>(), 1.0f);
  EXPECT_EQ(example.target.scalar_type(), at::kLong);
  EXPECT_EQ(example.target.dim(), 0);
  EXPECT_EQ(example.target.item<int64_t>(), 0);
  EXPECT_SAYS(set.get(256), "index");
}

TEST(ImageSetTest, ExamplesDoNotAliasTheSet) {
  ImageSet set = numbered(4);
  auto example = set.get(2);
  example.data.fill_(9);
  example.target.fill_(1);
  EXPECT_EQ(set.targets()[2].item<int64_t>(), 2);
  EXPECT_EQ(set.images()[2].max().item<int>(), 2);
}

TEST(ImageSetTest, RejectsWhatDoesNotFit) {
  const auto images = at::zeros({4, 1, 2, 2}, at::kByte);
  const auto targets = at::zeros({4}, at::kLong);
  const auto make = [](const at::Tensor& x, const at::Tensor& t) {
    return ImageSet("bad", x, t, {"a", "b"});
  };
  EXPECT_NO_THROW(make(images, targets));
  EXPECT_SAYS(make(images.to(at::kFloat), targets), "images");
  EXPECT_SAYS(make(images.squeeze(1), targets), "images");
  EXPECT_SAYS(make(images.narrow(0, 0, 0), targets.narrow(0, 0, 0)), "images");
  EXPECT_SAYS(make({}, targets), "undefined");
  EXPECT_SAYS(make(images, targets.to(at::kInt)), "targets");
  EXPECT_SAYS(make(images, at::zeros({3}, at::kLong)), "4 images");
  EXPECT_SAYS(make(images, at::full({4}, 2, at::kLong)), "from 0 to 1, got 2");
  EXPECT_SAYS(make(images, at::full({4}, -1, at::kLong)), "from 0 to 1, got -1");
}

TEST(ImageSetTest, LabelsMayBeMissingWhereThatIsSaid) {
  const auto images = at::zeros({3, 1, 2, 2}, at::kByte);
  const auto make = [&](std::vector<int64_t> targets, ImageSet::Labels labels) {
    return ImageSet("some", images, at::tensor(targets, at::kLong), {"a", "b"}, labels);
  };
  using Labels = ImageSet::Labels;
  const ImageSet some = make({0, ImageSet::no_label, 1}, Labels::some);
  EXPECT_FALSE(some.labelled());
  EXPECT_TRUE(some.select(at::tensor({2, 0}, at::kLong)).labelled());
  EXPECT_FALSE(some.select(at::tensor({2, 1}, at::kLong)).labelled());
  EXPECT_TRUE(make({0, 1, 1}, Labels::some).labelled());
  EXPECT_TRUE(make({0, 1, 1}, Labels::all).labelled());
  EXPECT_SAYS(make({0, -1, 1}, Labels::all), "from 0 to 1, got -1");
  EXPECT_SAYS(make({0, -2, 1}, Labels::some), "from -1 to 1, got -2");
  EXPECT_SAYS(make({0, 2, 1}, Labels::some), "from -1 to 1, got 2");
}

TEST(ImageSetTest, ViewsShareThePixels) {
  const ImageSet set = numbered(20);
  ImageSet view = set.select(at::tensor({7, 3, 3, 19}, at::kLong));
  EXPECT_EQ(view.pixels().const_data_ptr(), set.pixels().const_data_ptr());
  EXPECT_TRUE(view.images().equal(set.images().index_select(0, at::tensor({7, 3, 3, 19}, at::kLong))));
  EXPECT_TRUE(view.targets().equal(at::tensor({1, 0, 0, 1}, at::kLong)));
  EXPECT_EQ(view.get(3).data.max().item<float>(), 19.0f / 255.0f);

  const ImageSet nested = view.select(at::tensor({3, 0}, at::kLong));
  EXPECT_TRUE(nested.images().equal(set.images().index_select(0, at::tensor({19, 7}, at::kLong))));
  EXPECT_TRUE(nested.targets().equal(at::tensor({1, 1}, at::kLong)));

  EXPECT_SAYS(view.get(4), "index");
  EXPECT_SAYS(view.select(at::tensor({4}, at::kLong)), "index");
  EXPECT_SAYS(view.select(at::tensor({-1}, at::kLong)), "index");
  EXPECT_SAYS(view.select(at::empty({0}, at::kLong)), "index");
  EXPECT_SAYS(view.select(at::tensor({1}, at::kInt)), "index");
}

TEST(ImageSetTest, ViewsDoNotFollowTheIndexTheyWereMadeOf) {
  auto index = at::tensor({1, 2}, at::kLong);
  const ImageSet view = numbered(5).select(index);
  index.fill_(4);
  EXPECT_EQ(view.images()[0].max().item<int>(), 1);
}

TEST(ImageSetTest, GoesThroughLibTorchsDataLoader) {
  const MNIST set(OPTOTORCH_SOURCE_DIR "/data", MNIST::Mode::test);
  auto mapped =
      MNIST(OPTOTORCH_SOURCE_DIR "/data", MNIST::Mode::test).map(torch::data::transforms::Stack<>());
  auto loader =
      torch::data::make_data_loader<torch::data::samplers::SequentialSampler>(std::move(mapped), 300);
  std::vector<at::Tensor> data;
  std::vector<at::Tensor> targets;
  for (const auto& batch : *loader) {
    data.push_back(batch.data);
    targets.push_back(batch.target);
  }
  ASSERT_EQ(data.size(), 4u);
  EXPECT_TRUE(at::cat(data).equal(set.images().to(at::kFloat).div(255)));
  EXPECT_TRUE(at::cat(targets).equal(set.targets()));
}

/// The samples of a view of numbered(), which are their own pixel values.
std::vector<int64_t> members(const ImageSet& view) {
  const auto values = view.images().flatten(1).select(1, 0).to(at::kLong);
  return {values.const_data_ptr<int64_t>(), values.const_data_ptr<int64_t>() + values.numel()};
}

TEST(ImageSetTest, SplitIsDisjointAndComplete) {
  const ImageSet set = numbered(200);
  for (const double validation : {0.1, 0.5, 0.987, 1.0, 57.0, 199.0}) {
    const auto parts = split(set, validation, 3);
    const auto training = members(parts.training);
    const auto held_back = members(parts.validation);
    EXPECT_EQ(held_back.size(),
              static_cast<size_t>(validation < 1 ? std::round(200 * validation) : validation));
    EXPECT_TRUE(std::is_sorted(training.begin(), training.end()));
    EXPECT_TRUE(std::is_sorted(held_back.begin(), held_back.end()));
    std::vector<int64_t> all;
    std::merge(training.begin(), training.end(), held_back.begin(), held_back.end(), std::back_inserter(all));
    ASSERT_EQ(all.size(), 200u);
    for (int64_t i = 0; i < 200; ++i) {
      EXPECT_EQ(all[i], i);
    }
  }
}

TEST(ImageSetTest, SplitFollowsItsSeed) {
  const ImageSet set = numbered(200);
  const auto held_back = [&](uint64_t seed) { return members(split(set, 50, seed).validation); };
  EXPECT_EQ(held_back(1), held_back(1));
  EXPECT_NE(held_back(1), held_back(2));
  // Neither the head nor the tail of the set.
  EXPECT_LT(held_back(1).front(), 50);
  EXPECT_GT(held_back(1).back(), 150);
}

TEST(ImageSetTest, SplitOfAViewStaysWithinIt) {
  const auto outer = split(numbered(200), 0.5, 1);
  const auto inner = split(outer.training, 20, 1);
  const auto within = members(outer.training);
  for (const int64_t member : members(inner.validation)) {
    EXPECT_TRUE(std::binary_search(within.begin(), within.end(), member));
  }
  EXPECT_EQ(inner.training.count(), 80);
}

TEST(ImageSetTest, SplitRejectsEmptyParts) {
  const ImageSet set = numbered(20);
  for (const double validation :
       {0.0, -0.1, -5.0, 0.01, 0.99, 2.5, 20.0, 1e30, std::nan(""), 1.0 * INFINITY}) {
    EXPECT_SAYS(split(set, validation, 0), "validation");
  }
}

}  // namespace
}  // namespace optotorch
