#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/image_file_set.h>
#include <support/errors.h>
#include <support/picture_files.h>
#include <torch/data/dataloader.h>
#include <torch/data/samplers/sequential.h>

#include <filesystem>
#include <string>
#include <vector>

namespace optotorch {
namespace {

using testing::bytes_of_text;
using testing::TemporaryFolder;

ImageFileSet three_files(const TemporaryFolder& folder, ImageFileMode mode = ImageFileMode::rgb) {
  return {"three",
          {folder.write("a", testing::small_ppm()), folder.write("b", bytes_of_text("P2 1 1 255 51")),
           folder.write("c", bytes_of_text("no picture"))},
          at::tensor({1, 0, 1}, at::kLong),
          {"x", "y"},
          mode};
}

TEST(ImageFileSetTest, TellsWhatItHolds) {
  const TemporaryFolder folder;
  const ImageFileSet set = three_files(folder);
  EXPECT_EQ(set.count(), 3);
  EXPECT_EQ(set.size().value(), 3u);
  EXPECT_EQ(set.classes(), 2);
  EXPECT_EQ(set.name(), "three");
  EXPECT_EQ(set.path(2), folder.path() + "/c");
  EXPECT_EQ(set.paths().size(), 3u);
  EXPECT_EQ(set.class_to_idx().at("y"), 1);
}

TEST(ImageFileSetTest, GivesExamples) {
  const TemporaryFolder folder;
  ImageFileSet set = three_files(folder);
  const auto example = set.get(1);
  EXPECT_TRUE(example.data.equal(at::full({3, 1, 1}, 0.2f)));
  EXPECT_EQ(example.target.dim(), 0);
  EXPECT_EQ(example.target.item<int64_t>(), 0);
  EXPECT_EQ(set.get(0).data.sizes(), (at::IntArrayRef{3, 2, 2}));
  EXPECT_EQ(three_files(folder, ImageFileMode::grey).get(0).data.sizes(), (at::IntArrayRef{1, 2, 2}));
  EXPECT_EQ(set.image(0).scalar_type(), at::kByte);
}

TEST(ImageFileSetTest, ExamplesDoNotAliasTheSet) {
  const TemporaryFolder folder;
  ImageFileSet set = three_files(folder);
  set.get(1).target.fill_(1);
  EXPECT_EQ(set.targets()[1].item<int64_t>(), 0);
}

TEST(ImageFileSetTest, FilesAreReadWhenTheyAreAskedFor) {
  const TemporaryFolder folder;
  ImageFileSet set = three_files(folder);
  EXPECT_SAYS(set.get(2), "/c: image: expected a JPEG");
  std::filesystem::remove(set.path(0));
  EXPECT_SAYS(set.image(0), "nothing of that name");
  EXPECT_SAYS(set.get(3), "index");
  EXPECT_SAYS(set.image(-1), "index");
}

TEST(ImageFileSetTest, SelectsSamples) {
  const TemporaryFolder folder;
  const ImageFileSet set = three_files(folder);
  const ImageFileSet view =
      set.select(at::tensor({2, 1, 1}, at::kLong)).select(at::tensor({1, 0}, at::kLong));
  EXPECT_EQ(view.paths(), (std::vector<std::string>{set.path(1), set.path(2)}));
  EXPECT_TRUE(view.targets().equal(at::tensor({0, 1}, at::kLong)));
  EXPECT_SAYS(view.path(2), "0 to 1");
  EXPECT_SAYS(set.select(at::tensor({3}, at::kLong)), "0 to 2");
  EXPECT_SAYS(set.select(at::tensor({-1}, at::kLong)), "index");
  EXPECT_SAYS(set.select(at::tensor({1.0})), "index");
  EXPECT_SAYS(set.select(at::empty({0}, at::kLong)), "index");
}

TEST(ImageFileSetTest, RejectsWhatDoesNotFit) {
  const auto make = [](const at::Tensor& targets) { return ImageFileSet("s", {"a", "b"}, targets, {"x"}); };
  EXPECT_SAYS(make(at::zeros({3}, at::kLong)), "one for each of 2 files");
  EXPECT_SAYS(make(at::ones({2}, at::kLong)), "values from 0 to 0");
  EXPECT_SAYS(make(at::zeros({2}, at::kInt)), "targets");
  EXPECT_SAYS(make(at::Tensor()), "targets");
  EXPECT_SAYS(ImageFileSet("s", {}, at::empty({0}, at::kLong), {"x"}), "N at least 1");
}

TEST(ImageFileSetTest, FeedsLibTorchsLoader) {
  const TemporaryFolder folder;
  const auto set = three_files(folder).select(at::tensor({0, 1, 0, 0}, at::kLong));
  auto loader = torch::data::make_data_loader<torch::data::samplers::SequentialSampler>(
      set, torch::data::DataLoaderOptions(1).workers(2));
  std::vector<int64_t> sizes;
  for (const auto& batch : *loader) {
    sizes.push_back(batch.at(0).data.numel());
  }
  EXPECT_EQ(sizes, (std::vector<int64_t>{12, 3, 12, 12}));
}

}  // namespace
}  // namespace optotorch
