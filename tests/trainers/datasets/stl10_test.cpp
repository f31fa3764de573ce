#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <optotorch/trainers/datasets/stl10.h>
#include <support/array_files.h>
#include <support/errors.h>
#include <support/idx_files.h>

namespace optotorch {
namespace {

using testing::Bytes;
using testing::bytes_of;
using testing::noise;
using testing::TemporaryFolder;

constexpr size_t stl10_image_bytes = 3 * 96 * 96;

Bytes stl10_images(size_t count, uint8_t key) {
  auto bytes = noise(count * stl10_image_bytes);
  for (auto& byte : bytes) {
    byte ^= key;
  }
  return bytes;
}

at::Tensor upright(size_t count, uint8_t key) {
  return at::tensor(stl10_images(count, key), at::kByte)
      .view({static_cast<int64_t>(count), 3, 96, 96})
      .transpose(2, 3)
      .contiguous();
}

void write_set(const TemporaryFolder& folder) {
  const std::string inner = "stl10_binary/";
  folder.write(inner + "train_X.bin", stl10_images(4, 1));
  folder.write(inner + "train_y.bin", {1, 2, 10, 3});
  folder.write(inner + "test_X.bin", stl10_images(2, 2));
  folder.write(inner + "test_y.bin", {4, 5});
  folder.write(inner + "unlabeled_X.bin", stl10_images(3, 3));
  folder.write(inner + "class_names.txt",
               bytes_of("airplane\nbird\ncar\ncat\ndeer\ndog\nhorse\nmonkey\nship\ntruck\n"));
  folder.write(inner + "fold_indices.txt", bytes_of("3 1 \n0 2 \n1\n1\n1\n1\n1\n1\n1\n2"));
}

TEST(Stl10Test, ReadsEverySplit) {
  const TemporaryFolder folder;
  write_set(folder);
  const STL10 train(folder.path());
  EXPECT_TRUE(train.images().equal(upright(4, 1)));
  EXPECT_TRUE(train.targets().equal(at::tensor({0, 1, 9, 2}, at::kLong)));
  EXPECT_TRUE(train.labelled());
  EXPECT_EQ(train.class_names()[7], "monkey");
  EXPECT_TRUE(STL10(folder.path(), STL10::Mode::test).images().equal(upright(2, 2)));
  const STL10 unlabeled(folder.path(), STL10::Split::unlabeled);
  EXPECT_TRUE(unlabeled.images().equal(upright(3, 3)));
  EXPECT_TRUE(unlabeled.targets().equal(at::full({3}, -1, at::kLong)));
  EXPECT_FALSE(unlabeled.labelled());
  const STL10 both(folder.path(), STL10::Split::train_unlabeled);
  EXPECT_TRUE(both.images().equal(at::cat({upright(4, 1), upright(3, 3)})));
  EXPECT_TRUE(both.targets().equal(at::tensor({0, 1, 9, 2, -1, -1, -1}, at::kLong)));
  EXPECT_EQ(load_image_sets("stl10", folder.path()).test.count(), 2);
  EXPECT_EQ(to_string(STL10::Split::train_unlabeled), "train+unlabeled");
}

TEST(Stl10Test, TakesAFold) {
  const TemporaryFolder folder;
  write_set(folder);
  const STL10 first(folder.path(), STL10::Split::train, 0);
  EXPECT_TRUE(first.targets().equal(at::tensor({2, 1}, at::kLong)));
  EXPECT_TRUE(first.images().equal(upright(4, 1).index_select(0, at::tensor({3, 1}, at::kLong))));
  EXPECT_TRUE(STL10(folder.path(), STL10::Split::train, 9).targets().equal(at::tensor({9}, at::kLong)));
  EXPECT_TRUE(STL10(folder.path(), STL10::Split::train_unlabeled, 1)
                  .targets()
                  .equal(at::tensor({0, 9, -1, -1, -1}, at::kLong)));
  EXPECT_SAYS(STL10(folder.path(), STL10::Split::train, 10), "0 to 9");
  EXPECT_SAYS(STL10(folder.path(), STL10::Split::train, -1), "0 to 9");
  EXPECT_SAYS(STL10(folder.path(), STL10::Split::test, 1), "none for 'test'");
  const auto folds = [&](const std::string& text) {
    folder.write("stl10_binary/fold_indices.txt", bytes_of(text));
    return STL10(folder.path(), STL10::Split::train, 1);
  };
  EXPECT_NO_THROW(folds("x\n0 3"));
  EXPECT_SAYS(folds("0 1\n"), "one for fold 1");
  EXPECT_SAYS(folds("0\n\n"), "an empty line");
  EXPECT_SAYS(folds("0\n4"), "0 to 3, got '4'");
  EXPECT_SAYS(folds("0\n-1"), "0 to 3, got '-1'");
  EXPECT_SAYS(folds("0\n1.5"), "0 to 3, got '1.5'");
}

/// Whoever trains without labels uses the pixels.
TEST(Stl10Test, ImagesWithoutLabelsGoThroughBatches) {
  const TemporaryFolder folder;
  write_set(folder);
  const STL10 both(folder.path(), STL10::Split::train_unlabeled);
  const ImageBatches batches(both, ImageBatchesOptions(7).shuffle(true));
  const auto batch = batches.batch(0, 0);
  EXPECT_EQ(batch.data.sizes(), (at::IntArrayRef{7, 3, 96, 96}));
  EXPECT_EQ(batch.target.eq(ImageSet::no_label).sum().item<int64_t>(), 3);
  EXPECT_FALSE(both.select(at::tensor({0, 5}, at::kLong)).labelled());
  EXPECT_TRUE(both.select(at::tensor({0, 2}, at::kLong)).labelled());
}

TEST(Stl10Test, RejectsWhatDoesNotFit) {
  const TemporaryFolder folder;
  write_set(folder);
  const auto load = [&] { return STL10(folder.path()); };
  const auto labels = [&](const Bytes& bytes) {
    folder.write("stl10_binary/train_y.bin", bytes);
    return load();
  };
  EXPECT_SAYS(labels({1, 2, 3}), "one for each of 4 images");
  EXPECT_SAYS(labels({1, 2, 3, 0}), "from 1 to 10, got 0");
  EXPECT_SAYS(labels({1, 2, 3, 11}), "from 1 to 10, got 11");
  EXPECT_SAYS(labels({}), "labels, got 0");
  write_set(folder);
  auto bytes = stl10_images(4, 1);
  bytes.pop_back();
  folder.write("stl10_binary/train_X.bin", bytes);
  EXPECT_SAYS(load(), "images of 27648 bytes");
  folder.write("stl10_binary/train_X.bin", {});
  EXPECT_SAYS(load(), "images of 27648 bytes");
  write_set(folder);
  folder.write("stl10_binary/class_names.txt", {});
  EXPECT_SAYS(load(), "class_names.txt");
  folder.write("stl10_binary/class_names.txt", bytes_of("a\n\nb"));
  EXPECT_SAYS(load(), "an empty line");
}

TEST(Stl10Test, SaysWhatIsMissingOrDamaged) {
  const TemporaryFolder folder;
  EXPECT_SAYS(STL10(folder.path()), "torchvision.datasets.STL10(root, download=True)");
  folder.write("stl10_binary.tar.gz", bytes_of("packed"));
  EXPECT_SAYS(STL10(folder.path()), "unpack it");
  write_set(folder);
  EXPECT_SAYS(STL10::verify(folder.path()), "918c2871b30a85fa023e0c44e0bee87f");
}

}  // namespace
}  // namespace optotorch
