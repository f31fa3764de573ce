#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>
#include <optotorch/core/safetensors.h>
#include <support/mesh_cases.h>
#include <support/temporary_folder.h>

#include <filesystem>

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

}  // namespace
}  // namespace optotorch
