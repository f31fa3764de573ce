#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>
#include <optotorch/core/safetensors.h>
#include <support/mesh_cases.h>
#include <support/temporary_folder.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace optotorch {
namespace {

class SafetensorsTest : public ::testing::Test {
 protected:
  std::string path() const { return folder_.path() + "/file.safetensors"; }

 private:
  testing::TemporaryFolder folder_;
};

TEST_F(SafetensorsTest, RoundTripsEveryType) {
  SafeTensors content;
  for (const auto type : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort,
                          at::kChar, at::kByte, at::kBool, at::kComplexFloat}) {
    content.tensors[c10::toString(type)] = at::randint(0, 2, {3, 1, 2}).to(type);
  }
  content.tensors["empty"] = at::empty({0, 7});
  content.tensors["scalar"] = at::tensor(3.5);
  content.tensors["view"] = at::arange(12).reshape({3, 4}).t();
  content.metadata["text"] = "line\n\"quoted\" \xc3\xa9";
  save_safetensors(path(), content);
  const auto read = load_safetensors(path());
  EXPECT_EQ(read.metadata, content.metadata);
  ASSERT_EQ(read.tensors.size(), content.tensors.size());
  for (const auto& [name, tensor] : content.tensors) {
    EXPECT_EQ(read.tensors.at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(read.tensors.at(name).equal(tensor)) << name;
  }
  EXPECT_THROW(save_safetensors(path(), {{{"x", at::zeros(2, at::kComplexDouble)}}, {}}), c10::ValueError);
  EXPECT_EQ(load_safetensors(path()).tensors.size(), content.tensors.size())
      << "a failed write must not touch the file";
}

TEST_F(SafetensorsTest, AFileCutAnywhereIsRejected) {
  save_safetensors(path(), {{{"a", at::ones({2, 3})}, {"b", at::ones({4}, at::kDouble)}}, {{"key", "text"}}});
  const auto size = std::filesystem::file_size(path());
  for (uintmax_t kept = 0; kept < size; ++kept) {
    std::filesystem::copy_file(path(), path() + ".cut");
    std::filesystem::resize_file(path() + ".cut", kept);
    expect_complaint({"load_safetensors", path() + ".cut"}, [&] { load_safetensors(path() + ".cut"); });
    std::filesystem::remove(path() + ".cut");
  }
}

TEST_F(SafetensorsTest, AFlippedBitIsRejectedOrChangesNothing) {
  const SafeTensors content{{{"a", at::ones({2, 3})}, {"b", at::rand({4}, at::kDouble)}}, {{"key", "text"}}};
  save_safetensors(path(), content);
  std::string bytes;
  {
    std::ifstream file(path(), std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
  int64_t rejected = 0;
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    auto flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    std::ofstream(path() + ".bit", std::ios::binary) << flipped;
    try {
      const auto read = load_safetensors(path() + ".bit");
      ASSERT_EQ(read.tensors.size(), content.tensors.size()) << bit;
      for (const auto& [name, tensor] : content.tensors) {
        ASSERT_TRUE(read.tensors.at(name).equal(tensor)) << bit;
      }
      ASSERT_EQ(read.metadata.at("key"), "text") << bit;
    } catch (const c10::ValueError&) {
      ++rejected;
    }
  }
  EXPECT_GT(rejected, static_cast<int64_t>(8 * bytes.size()) - 64) << "all but some in the checksum's name";
}

// Files of other writers, and of versions before there was one.
TEST_F(SafetensorsTest, TheChecksumMayBeMissing) {
  const std::string header = R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}} )";
  const uint64_t length = header.size();
  std::ofstream(path(), std::ios::binary).write(reinterpret_cast<const char*>(&length), sizeof length)
      << header << "ok";
  EXPECT_EQ(load_safetensors(path()).tensors.at("a")[1].item<int64_t>(), 'k');
  save_safetensors(path(), load_safetensors(path()));
  const auto read = load_safetensors(path());
  EXPECT_EQ(read.tensors.at("a")[1].item<int64_t>(), 'k');
  EXPECT_TRUE(read.metadata.empty());
  EXPECT_THROW(save_safetensors(path(), {{}, {{"crc32", "00000000"}}}), c10::ValueError);
}

TEST_F(SafetensorsTest, APipeIsNotWaitedFor) {
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  expect_complaint({"load_safetensors", path(), "a pipe"}, [&] { load_safetensors(path()); });
}

TEST_F(SafetensorsTest, ABoolIsZeroOrOne) {
  save_safetensors(path(), {{{"mask", at::ones({3}, at::kBool)}}, {}});
  std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-1, std::ios::end);
  file.put(2);
  file.close();
  expect_complaint({"load_safetensors", "0 or 1 in 'mask'"}, [&] { load_safetensors(path()); });
}

}  // namespace
}  // namespace optotorch
