#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/dataset_folder.h>
#include <optotorch/trainers/datasets/image_folder.h>
#include <support/errors.h>
#include <support/picture_files.h>

#include <filesystem>
#include <string>
#include <vector>

namespace optotorch {
namespace {

using testing::bytes_of_text;
using testing::TemporaryFolder;

namespace fs = std::filesystem;

std::vector<std::string> names(const ImageFileSet& set, const TemporaryFolder& folder) {
  std::vector<std::string> names;
  for (const auto& path : set.paths()) {
    names.push_back(path.substr(folder.path().size() + 1));
  }
  return names;
}

TEST(ImageFolderTest, ComesInTorchvisionsOrder) {
  const TemporaryFolder folder;
  // A space sorts before a slash, and a capital before a small letter.
  for (const auto* name : {"b/2.png", "b/10.png", "b/x/1.png", "b/x/d/1.png", "b/x y/1.png", "b/x.z/1.JPG",
                           "a/1.jpeg", "B/1.ppm", "a/note.txt", "file.png"}) {
    folder.write(name, testing::small_ppm());
  }
  const ImageFolder set(folder.path());
  EXPECT_EQ(set.class_names(), (std::vector<std::string>{"B", "a", "b"}));
  EXPECT_EQ(names(set, folder),
            (std::vector<std::string>{"B/1.ppm", "a/1.jpeg", "b/10.png", "b/2.png", "b/x/1.png",
                                      "b/x y/1.png", "b/x.z/1.JPG", "b/x/d/1.png"}));
  EXPECT_TRUE(set.targets().equal(at::tensor({0, 1, 2, 2, 2, 2, 2, 2}, at::kLong)));
  EXPECT_EQ(set.image(0).size(0), 3);
  EXPECT_EQ(ImageFolder(folder.path(), DatasetFolderOptions().mode(ImageFileMode::grey)).image(0).size(0), 1);
}

TEST(ImageFolderTest, TakesWhatItIsToldTo) {
  const TemporaryFolder folder;
  for (const auto* name : {"a/1.png", "a/2.dat", "a/3.DAT"}) {
    folder.write(name, {});
  }
  const auto extensions = DatasetFolderOptions().extensions({".dat"});
  EXPECT_EQ(names(DatasetFolder(folder.path(), extensions), folder),
            (std::vector<std::string>{"a/2.dat", "a/3.DAT"}));
  const auto function =
      DatasetFolderOptions().is_valid_file([](const auto& path) { return path.ends_with("AT"); });
  EXPECT_EQ(names(ImageFolder(folder.path(), function), folder), (std::vector<std::string>{"a/3.DAT"}));
  EXPECT_SAYS(DatasetFolder(folder.path(), {}), "one of the two, got none");
  EXPECT_SAYS(ImageFolder(folder.path(), DatasetFolderOptions(function).extensions({".png"})), "got both");
}

TEST(ImageFolderTest, FollowsLinks) {
  const TemporaryFolder folder;
  folder.write("set/a/1.png", {});
  folder.write("beside/2.png", {});
  fs::create_directory_symlink(folder.path() + "/beside", folder.path() + "/set/b");
  fs::create_directory_symlink(folder.path() + "/beside", folder.path() + "/set/a/more");
  EXPECT_EQ(names(ImageFolder(folder.path() + "/set"), folder),
            (std::vector<std::string>{"set/a/1.png", "set/a/more/2.png", "set/b/2.png"}));
  fs::create_directory_symlink(folder.path() + "/set", folder.path() + "/beside/back");
  EXPECT_SAYS(ImageFolder(folder.path() + "/set"), "links that do not lead back");
}

TEST(ImageFolderTest, RejectsEmptyFolders) {
  const TemporaryFolder folder;
  EXPECT_SAYS(ImageFolder(folder.path()), "a folder for each class in it, got none");
  folder.write("a/1.png", {});
  folder.write("b/1.txt", {});
  fs::create_directories(folder.path() + "/c");
  EXPECT_SAYS(ImageFolder(folder.path()), "none for b, c");
  const ImageFolder set(folder.path(), DatasetFolderOptions().allow_empty(true));
  EXPECT_EQ(set.classes(), 3);
  EXPECT_EQ(set.count(), 1);
  fs::remove(set.path(0));
  EXPECT_SAYS(ImageFolder(folder.path(), DatasetFolderOptions().allow_empty(true)), "at least one image");
  EXPECT_SAYS(ImageFolder(folder.path() + "/none"), "a folder that can be read");
  EXPECT_SAYS(ImageFolder(folder.write("file", {})), "a folder that can be read");
}

}  // namespace
}  // namespace optotorch
