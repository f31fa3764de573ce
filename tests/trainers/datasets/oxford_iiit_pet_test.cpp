#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/oxford_iiit_pet.h>
#include <support/errors.h>
#include <support/picture_files.h>

#include <string>
#include <vector>

namespace optotorch {
namespace {

using testing::bytes_of_text;
using testing::TemporaryFolder;

TEST(OxfordIiitPetTest, KnowsBreedsAndSpecies) {
  const TemporaryFolder folder;
  EXPECT_SAYS(OxfordIIITPet(folder.path()), "torchvision.datasets.OxfordIIITPet(root, download=True)");
  folder.write("oxford-iiit-pet/images/x", {});
  const auto list = [&](const std::string& text) {
    folder.write("oxford-iiit-pet/annotations/test.txt", bytes_of_text(text));
  };
  list("great_pyrenees_7 2 2 1\nAbyssinian_1 1 1 1\n");
  const OxfordIIITPet breeds(folder.path(), "test"), species(folder.path(), "test", "binary-category");
  EXPECT_EQ(breeds.class_names(), (std::vector<std::string>{"Abyssinian", "Great Pyrenees"}));
  EXPECT_EQ(species.class_names(), (std::vector<std::string>{"Cat", "Dog"}));
  EXPECT_TRUE(species.targets().equal(at::tensor({1, 0}, at::kLong)));
  EXPECT_EQ(breeds.path(0), folder.path() + "/oxford-iiit-pet/images/great_pyrenees_7.jpg");
  for (const auto* text : {"a_1 1 1\n", "a_1 x 1 1\n", "a_1 0 1 1\n", "a_1 1 3 1\n", "a_1 1 1 1\nb_1 1 1 1\n",
                           "a_1 2 1 1\n", "../a_1 1 1 1\n", "\n", ""}) {
    list(text);
    EXPECT_SAYS(OxfordIIITPet(folder.path(), "test"), "OxfordIIITPet: ");
  }
}

}  // namespace
}  // namespace optotorch
