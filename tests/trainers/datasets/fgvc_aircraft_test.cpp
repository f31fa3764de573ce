#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/fgvc_aircraft.h>
#include <support/errors.h>
#include <support/picture_files.h>

#include <string>
#include <vector>

namespace optotorch {
namespace {

using testing::bytes_of_text;
using testing::TemporaryFolder;

TEST(FgvcAircraftTest, ReadsItsLists) {
  const TemporaryFolder folder;
  EXPECT_SAYS(FGVCAircraft(folder.path()), "torchvision.datasets.FGVCAircraft(root, download=True)");
  const std::string data = "fgvc-aircraft-2013b/data/";
  folder.write(data + "families.txt", bytes_of_text("Boeing 717\nA300\n"));
  folder.write(data + "images_family_val.txt", bytes_of_text("07 A300\n08 Boeing 717\n"));
  const FGVCAircraft set(folder.path(), "val", "family");
  EXPECT_EQ(set.class_names(), (std::vector<std::string>{"Boeing 717", "A300"}));
  EXPECT_TRUE(set.targets().equal(at::tensor({1, 0}, at::kLong)));
  EXPECT_EQ(set.path(0), folder.path() + "/" + data + "images/07.jpg");
  EXPECT_SAYS(FGVCAircraft(folder.path(), "val"), "nothing of that name");
  for (const auto* text : {"07 Zeppelin\n", "07\n", "../07 A300\n", ""}) {
    folder.write(data + "images_family_val.txt", bytes_of_text(text));
    EXPECT_SAYS(FGVCAircraft(folder.path(), "val", "family"), "FGVCAircraft: ");
  }
}

}  // namespace
}  // namespace optotorch
