#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/imagenet.h>
#include <optotorch/trainers/datasets/imagenette.h>
#include <support/errors.h>
#include <support/picture_files.h>

#include <string>
#include <vector>

namespace optotorch {
namespace {

using testing::bytes_of_text;
using testing::TemporaryFolder;

TEST(ImagenetTest, TakesNamesFromTheList) {
  const TemporaryFolder folder;
  EXPECT_SAYS(ImageNet(folder.path(), "val"),
              "Unpack it with torchvision.datasets.ImageNet(root, split='val')");
  folder.write("val/n2/1.JPEG", testing::small_ppm());
  folder.write("val/n1/1.JPEG", testing::small_ppm());
  EXPECT_EQ(ImageNet(folder.path(), "val").class_names(), (std::vector<std::string>{"n1", "n2"}));
  folder.write("LOC_synset_mapping.txt", bytes_of_text("n2 crane\nn1 tench, Tinca tinca\nn3 other\n"));
  const ImageNet set(folder.path(), "val");
  EXPECT_EQ(set.class_names(), (std::vector<std::string>{"tench, Tinca tinca", "crane"}));
  EXPECT_EQ(set.image(1).numel(), 12);
  for (const auto* text : {"n1 tench\n", "n1\n", ""}) {
    folder.write("LOC_synset_mapping.txt", bytes_of_text(text));
    EXPECT_SAYS(ImageNet(folder.path(), "val"), "LOC_synset_mapping.txt");
  }
}

TEST(ImagenetTest, ImagenetteHasTenClasses) {
  const TemporaryFolder folder;
  EXPECT_SAYS(Imagenette(folder.path(), "val", "160px"),
              "Imagenette(root, split='val', size='160px', download=True)");
  folder.write("imagenette2-160/val/n03028079/1.jpeg", testing::small_ppm());
  folder.write("imagenette2-160/val/n03028079/1.png", {});
  const Imagenette set(folder.path(), "val", "160px");
  EXPECT_EQ(set.class_names(), (std::vector<std::string>{"church, church building"}));
  EXPECT_EQ(set.count(), 1);
  folder.write("imagenette2-160/val/n1/1.jpeg", {});
  EXPECT_SAYS(Imagenette(folder.path(), "val", "160px"), "its ten classes, got 'n1'");
  EXPECT_SAYS(Imagenette(folder.path(), "val", "160"), "size");
}

}  // namespace
}  // namespace optotorch
