#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/gtsrb.h>
#include <support/errors.h>
#include <support/picture_files.h>

namespace optotorch {
namespace {

using testing::bytes_of_text;
using testing::TemporaryFolder;

TEST(GtsrbTest, ReadsBothParts) {
  const TemporaryFolder folder;
  EXPECT_SAYS(GTSRB(folder.path()), "torchvision.datasets.GTSRB(root, split='train', download=True)");
  folder.write("gtsrb/GTSRB/Training/00001/1.ppm", testing::small_ppm());
  folder.write("gtsrb/GTSRB/Training/00001/1.csv", {});
  EXPECT_EQ(GTSRB(folder.path()).image(0).numel(), 12);
  EXPECT_EQ(GTSRB(folder.path()).count(), 1);
  folder.write("gtsrb/GTSRB/Final_Test/Images/00000.ppm", testing::small_ppm());
  folder.write("gtsrb/GT-final_test.csv", bytes_of_text("Filename;Width;ClassId\r\n00000.ppm;2;42\r\n"));
  const GTSRB test(folder.path(), "test");
  EXPECT_EQ(test.image(0).numel(), 12);
  EXPECT_EQ(test.class_names().at(static_cast<size_t>(test.targets().item<int64_t>())), "00042");
  for (const auto* text :
       {"", "a;b\n", "Filename;ClassId\nx;43\n", "Filename;ClassId\nx;-1\n", "Filename;ClassId\nx\n",
        "Filename;ClassId\nx;1a\n", "Filename;ClassId\n../x;1\n", "Filename;ClassId\n"}) {
    folder.write("gtsrb/GT-final_test.csv", bytes_of_text(text));
    EXPECT_SAYS(GTSRB(folder.path(), "test"), "GTSRB: ");
  }
}

}  // namespace
}  // namespace optotorch
