#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <optotorch/trainers/datasets/svhn.h>
#include <support/array_files.h>
#include <support/errors.h>
#include <support/idx_files.h>

namespace optotorch {
namespace {

using testing::bytes_of;
using testing::mat_array;
using testing::mat_element;
using testing::mat_file;
using testing::noise;
using testing::packed_mat_array;
using testing::small_mat_element;
using testing::TemporaryFolder;

std::string svhn_images(int32_t count) {
  const auto bytes = noise(static_cast<size_t>(count) * 3072);
  return {bytes.begin(), bytes.end()};
}

std::string x_array(int32_t count) {
  return mat_array("X", 9, {32, 32, 3, count}, mat_element(2, svhn_images(count)));
}

std::string y_array(const std::string& labels) {
  return mat_array("y", 6, {static_cast<int32_t>(labels.size()), 1},
                   labels.size() <= 4 ? small_mat_element(2, labels) : mat_element(2, labels));
}

TEST(SvhnTest, ReadsEverySplit) {
  const TemporaryFolder folder;
  folder.write("train_32x32.mat",
               bytes_of(mat_file(packed_mat_array(x_array(3)) + packed_mat_array(y_array("\1\x0a\x09")))));
  folder.write("test_32x32.mat", bytes_of(mat_file(y_array("\2") + x_array(1))));
  folder.write("extra_32x32.mat", bytes_of(mat_file(x_array(5) + y_array("\5\4\3\2\1"))));
  const SVHN train(folder.path());
  ASSERT_EQ(train.images().sizes(), (at::IntArrayRef{3, 3, 32, 32}));
  EXPECT_TRUE(train.targets().equal(at::tensor({1, 0, 9}, at::kLong)));
  EXPECT_EQ(train.class_names()[7], "7");
  // X(row, column, channel, image) of MATLAB, its first index fastest.
  const auto bytes = noise(3 * 3072);
  const auto pixels = train.images();
  for (const auto& [image, channel, row, column] : std::vector<std::array<int64_t, 4>>{
           {0, 0, 0, 1}, {0, 0, 1, 0}, {1, 2, 5, 30}, {2, 1, 31, 0}, {2, 2, 31, 31}}) {
    EXPECT_EQ(pixels[image][channel][row][column].item<int>(),
              bytes[static_cast<size_t>(row + 32 * (column + 32 * (channel + 3 * image)))]);
  }
  EXPECT_EQ(SVHN(folder.path(), SVHN::Mode::test).count(), 1);
  EXPECT_EQ(SVHN(folder.path(), SVHN::Split::extra).count(), 5);
  EXPECT_EQ(load_image_sets("svhn", folder.path()).train.count(), 3);
}

TEST(SvhnTest, RejectsWhatDoesNotFit) {
  const auto reading = [](const std::string& file) { return read_svhn(InputFile(file, "some-file")); };
  EXPECT_NO_THROW(reading(mat_file(x_array(2) + y_array("\1\2"))));
  EXPECT_SAYS(reading(mat_file(x_array(2) + y_array("\1\x0b"))), "labels from 1 to 10");
  EXPECT_SAYS(reading(mat_file(x_array(2) + mat_array("y", 6, {2, 1}, small_mat_element(1, "\1\xff")))),
              "labels from 1 to 10");
  EXPECT_SAYS(reading(mat_file(x_array(2) + y_array("\1"))), "each of 2 images");
  EXPECT_SAYS(reading(mat_file(x_array(2))), "'y'");
  EXPECT_SAYS(reading(mat_file(y_array("\1"))), "'X'");
  EXPECT_SAYS(
      reading(mat_file(mat_array("X", 9, {32, 32, 3}, mat_element(2, svhn_images(1))) + y_array("\1"))),
      "uint8 [32, 32, 3, N]");
  EXPECT_SAYS(
      reading(mat_file(mat_array("X", 9, {3, 32, 32, 1}, mat_element(2, svhn_images(1))) + y_array("\1"))),
      "uint8 [32, 32, 3, N]");
  EXPECT_SAYS(
      reading(mat_file(mat_array("X", 8, {32, 32, 3, 1}, mat_element(1, svhn_images(1))) + y_array("\1"))),
      "uint8 [32, 32, 3, N]");
  EXPECT_SAYS(reading(mat_file(mat_array("X", 9, {32, 32, 3, 0}, mat_element(2, "")) + y_array(""))),
              "uint8 [32, 32, 3, N]");
}

TEST(SvhnTest, SaysWhatIsMissingOrDamaged) {
  const TemporaryFolder folder;
  EXPECT_SAYS(SVHN(folder.path(), SVHN::Split::extra),
              "torchvision.datasets.SVHN(root, split='extra', download=True)");
  folder.write("test_32x32.mat", bytes_of("abc"));
  EXPECT_SAYS(SVHN::verify(folder.path(), SVHN::Split::test), "expected eb5a983be6a315427106f1b164d9cef3");
  EXPECT_SAYS(SVHN::verify(folder.path(), SVHN::Split::test), "got 900150983cd24fb0d6963f7d28e17f72");
  EXPECT_SAYS(SVHN::verify(folder.path(), SVHN::Split::train), "train_32x32.mat");
}

}  // namespace
}  // namespace optotorch
