#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <optotorch/trainers/datasets/semeion.h>
#include <support/array_files.h>
#include <support/errors.h>

namespace optotorch {
namespace {

using testing::bytes_of;
using testing::semeion_line;
using testing::TemporaryFolder;

TEST(SemeionTest, ReadsTheFile) {
  const TemporaryFolder folder;
  folder.write("semeion.data", bytes_of(semeion_line(0, 0) + "\n" + semeion_line(2, 9)));
  const SEMEION set(folder.path());
  ASSERT_EQ(set.images().sizes(), (at::IntArrayRef{2, 1, 16, 16}));
  EXPECT_TRUE(set.targets().equal(at::tensor({0, 9}, at::kLong)));
  const auto columns = at::arange(256, at::kLong).remainder(3);
  EXPECT_TRUE(set.images()[0].flatten().equal(columns.eq(0).to(at::kByte) * 255));
  EXPECT_TRUE(set.images()[1].flatten().equal(columns.eq(2).to(at::kByte) * 255));
}

TEST(SemeionTest, IsSplitByName) {
  const TemporaryFolder folder;
  std::string text;
  for (size_t k = 0; k < 50; ++k) {
    text += semeion_line(k % 3, k % 10);
  }
  folder.write("semeion.data", bytes_of(text));
  const auto parts = load_image_sets("semeion", folder.path());
  EXPECT_EQ(parts.train.count(), 40);
  EXPECT_EQ(parts.test.count(), 10);
  const auto rows = at::cat({parts.train.rows(), parts.test.rows()});
  EXPECT_TRUE(std::get<0>(rows.sort()).equal(at::arange(50, at::kLong)));
}

TEST(SemeionTest, RejectsOtherLines) {
  const auto reading = [](const std::string& text) { return read_semeion(InputFile(text, "some-file")); };
  const auto line = semeion_line(0, 3);
  EXPECT_SAYS(reading(""), "an empty text");
  EXPECT_SAYS(reading("\n\n"), "an empty text");
  EXPECT_SAYS(reading(line + line.substr(7)), "266 numbers, got 265");
  EXPECT_SAYS(reading(line + line.substr(7)), "line 2");
  EXPECT_SAYS(reading("0 " + line), "266 numbers");
  EXPECT_SAYS(reading(semeion_line(0, 99)), "one class marked");
  auto two = line;
  two.replace(two.size() - 3, 1, "1");
  EXPECT_SAYS(reading(two), "one class marked in the last 10 numbers, got 2");
  for (const std::string value : {"-0.5", "2", "nan", "x"}) {
    SCOPED_TRACE(value);
    EXPECT_SAYS(reading(value + line.substr(6)), "numbers from 0 to 1");
  }
}

TEST(SemeionTest, SaysWhatIsMissingOrDamaged) {
  const TemporaryFolder folder;
  EXPECT_SAYS(SEMEION(folder.path()), "torchvision.datasets.SEMEION(root, download=True)");
  folder.write("semeion.data", bytes_of("abc"));
  EXPECT_SAYS(SEMEION::verify(folder.path()), "expected cb545d371d2ce14ec121470795a77432");
}

}  // namespace
}  // namespace optotorch
