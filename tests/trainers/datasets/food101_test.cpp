#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/food101.h>
#include <support/errors.h>
#include <support/picture_files.h>

#include <string>
#include <utility>
#include <vector>

namespace optotorch {
namespace {

using testing::bytes_of_text;
using testing::TemporaryFolder;

TEST(Food101Test, ReadsTheListsOrder) {
  const TemporaryFolder folder;
  EXPECT_SAYS(Food101(folder.path()), "torchvision.datasets.Food101(root, download=True)");
  folder.write("food-101/images/x", {});
  folder.write("food-101/meta/train.json", bytes_of_text(R"({"b": ["b/2", "b/1"], "a": ["a/1"]})"));
  const Food101 set(folder.path());
  EXPECT_EQ(set.class_names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(set.targets().equal(at::tensor({1, 1, 0}, at::kLong)));
  EXPECT_EQ(set.path(0), folder.path() + "/food-101/images/b/2.jpg");
  EXPECT_SAYS(Food101(folder.path(), "val"), "one of train, test");
  EXPECT_SAYS(Food101(folder.path(), "test"), "nothing of that name");
}

TEST(Food101Test, RejectsBrokenLists) {
  const TemporaryFolder folder;
  folder.write("food-101/images/x", {});
  for (const auto& [text, said] : {std::pair{"", "something else"},
                                   {"[]", "something else"},
                                   {"{", "something else"},
                                   {"{\"a\": 1}", "a list of names"},
                                   {"{\"a\": [1]}", "names of files"},
                                   {"{\"a\": [\"../x\"]}", "names of files below"},
                                   {"{\"a\": [\"/x\"]}", "names of files below"},
                                   {"{}", "at least one"}}) {
    folder.write("food-101/meta/train.json", bytes_of_text(text));
    EXPECT_SAYS(Food101(folder.path()), said);
  }
}

}  // namespace
}  // namespace optotorch
