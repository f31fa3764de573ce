#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/dtd.h>
#include <support/errors.h>
#include <support/picture_files.h>

#include <string>
#include <vector>

namespace optotorch {
namespace {

using testing::bytes_of_text;
using testing::TemporaryFolder;

TEST(DtdTest, ReadsItsLists) {
  const TemporaryFolder folder;
  EXPECT_SAYS(DTD(folder.path()), "torchvision.datasets.DTD(root, download=True)");
  folder.write("dtd/dtd/labels/val3.txt", bytes_of_text("woven/2.jpg\r\nbanded/1.jpg\r\nwoven/1.jpg\r\n"));
  const DTD set(folder.path(), "val", 3);
  EXPECT_EQ(set.class_names(), (std::vector<std::string>{"banded", "woven"}));
  EXPECT_TRUE(set.targets().equal(at::tensor({1, 0, 1}, at::kLong)));
  EXPECT_EQ(set.path(1), folder.path() + "/dtd/dtd/images/banded/1.jpg");
  EXPECT_SAYS(DTD(folder.path(), "val", 0), "1 to 10");
  EXPECT_SAYS(DTD(folder.path(), "vall"), "Did you mean 'val'");
  for (const auto* text : {"a/b/c.jpg", "a.jpg", "a/b\n\n", "../b.jpg", "/b.jpg", ""}) {
    folder.write("dtd/dtd/labels/val3.txt", bytes_of_text(text));
    EXPECT_SAYS(DTD(folder.path(), "val", 3), "DTD: ");
  }
}

}  // namespace
}  // namespace optotorch
