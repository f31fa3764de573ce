#include <gtest/gtest.h>
#include <optotorch/core/atomic_file.h>
#include <support/errors.h>
#include <support/temporary_folder.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace optotorch {
namespace {

// Root's rename would replace /dev/full by a file.
TEST(AtomicFileTest, WhatIsNoFileIsNotReplaced) {
  const testing::TemporaryFolder folder;
  const auto pipe = folder.path() + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_SAYS(write_text_atomically(pipe, "text"), "got a device, a pipe or a socket");
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
  const auto inner = folder.path() + "/folder";
  std::filesystem::create_directory(inner);
  EXPECT_SAYS(write_text_atomically(inner, "text"), "got a folder");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 2) << "no part is left";
}

TEST(AtomicFileTest, AFileIsReplaced) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() + "/file";
  for (const std::string text : {"one", "two"}) {
    write_text_atomically(path, text);
    std::ifstream file(path);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), text);
  }
  const auto link = folder.path() + "/link";
  std::filesystem::create_symlink(path, link);
  write_text_atomically(link, "three");
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  std::ifstream file(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "three");
}

}  // namespace
}  // namespace optotorch
