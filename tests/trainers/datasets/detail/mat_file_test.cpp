#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/detail/mat_file.h>
#include <support/array_files.h>
#include <support/errors.h>

namespace optotorch {
namespace {

using testing::little_endian;
using testing::mat_array;
using testing::mat_element;
using testing::mat_file;
using testing::packed_mat_array;
using testing::small_mat_element;
using testing::zlib_packed;
using namespace std::string_literals;

std::map<std::string, at::Tensor> read_variables(const std::string& file,
                                                 const std::vector<std::string>& names = {}) {
  return read_mat(InputFile(file, "some-file"), names);
}

const std::string six = "\1\2\3\4\5\6"s;

TEST(MatFileTest, ReadsArraysByColumns) {
  for (const bool packed : {false, true}) {
    const auto array = mat_array("matrix", 9, {2, 3}, mat_element(2, six));
    const auto found = read_variables(mat_file(packed ? packed_mat_array(array) : array));
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found.at("matrix").scalar_type(), at::kByte);
    EXPECT_TRUE(found.at("matrix").equal(at::tensor({1, 3, 5, 2, 4, 6}, at::kByte).view({2, 3})));
  }
}

TEST(MatFileTest, ReadsEveryType) {
  const auto read_as = [](uint32_t type, const std::string& bytes, int32_t count) {
    const auto values = bytes.size() <= 4 ? small_mat_element(type, bytes) : mat_element(type, bytes);
    return read_variables(mat_file(mat_array("x", 6, {1, count}, values))).at("x");
  };
  const auto same = [](const at::Tensor& a, const at::Tensor& b) {
    return a.scalar_type() == b.scalar_type() && a.equal(b.view({1, -1}));
  };
  EXPECT_TRUE(same(read_as(1, "\x7f\x80"s, 2), at::tensor({127, -128}, at::kChar)));
  EXPECT_TRUE(same(read_as(2, "\x7f\x80"s, 2), at::tensor({127, 128}, at::kByte)));
  EXPECT_TRUE(same(read_as(3, "\1\2\xfe\xff"s, 2), at::tensor({513, -2}, at::kShort)));
  EXPECT_TRUE(same(read_as(4, "\1\2\xfe\xff"s, 2), at::tensor({513, 65534}, at::kInt)));
  EXPECT_TRUE(same(read_as(5, "\1\2\0\0\xfd\xff\xff\xff"s, 2), at::tensor({513, -3}, at::kInt)));
  EXPECT_TRUE(same(read_as(6, "\1\2\0\0\xfd\xff\xff\xff"s, 2),
                   at::tensor({int64_t{513}, int64_t{4294967293}}, at::kLong)));
  EXPECT_TRUE(same(read_as(7, "\0\0\xc0\xbf"s, 1), at::tensor({-1.5}, at::kFloat)));
  EXPECT_TRUE(
      same(read_as(9, "\x18\x2d\x44\x54\xfb\x21\x09\x40"s, 1), at::tensor({3.141592653589793}, at::kDouble)));
  EXPECT_TRUE(same(read_as(12, little_endian(~uint64_t{0}, 8), 1), at::tensor({-1}, at::kLong)));
  EXPECT_TRUE(same(read_as(13, little_endian(7, 8), 1), at::tensor({7}, at::kLong)));
  EXPECT_SAYS(read_as(13, little_endian(~uint64_t{0}, 8), 1), "below 2^63");
  EXPECT_SAYS(read_as(16, "abcdefgh", 8), "numbers");
}

TEST(MatFileTest, PassesOverOtherVariables) {
  const auto file =
      mat_file(mat_array("cells", 1, {1, 1}, mat_array("", 9, {1, 1}, small_mat_element(2, "\1"))) +
               mat_array("text", 4, {1, 2}, small_mat_element(16, "ab")) +
               mat_element(14, mat_element(6, little_endian(17, 8)) + "opaque..") +
               mat_array("z", 6, {1, 1}, small_mat_element(2, "\1") + small_mat_element(2, "\2"), 8) +
               packed_mat_array(mat_array("y", 6, {3, 1}, small_mat_element(2, "\1\2\3"))) +
               mat_array("x", 9, {1, 6}, mat_element(2, six)));
  EXPECT_EQ(read_variables(file).size(), 2u);
  EXPECT_EQ(read_variables(file, {"y"}).size(), 1u);
  EXPECT_EQ(read_variables(file, {"y"}).at("y").sizes(), (at::IntArrayRef{3, 1}));
  EXPECT_SAYS(read_variables(file, {"y", "absent"}), "'absent'");
  EXPECT_SAYS(read_variables(file, {"cells"}), "another kind");
  EXPECT_SAYS(read_variables(file, {"z"}), "complex");
}

TEST(MatFileTest, ReadsEmptyArrays) {
  EXPECT_EQ(read_variables(mat_file(mat_array("x", 6, {0, 3}, mat_element(9, "")))).at("x").sizes(),
            (at::IntArrayRef{0, 3}));
  EXPECT_TRUE(read_variables(mat_file("")).empty());
}

TEST(MatFileTest, RejectsOtherFiles) {
  EXPECT_SAYS(read_variables(""), "shorter than its header");
  EXPECT_SAYS(read_variables(std::string(200, 'x')), "something else");
  auto big = mat_file("");
  big[124] = '\1', big[125] = '\0', big[126] = 'M', big[127] = 'I';
  EXPECT_SAYS(read_variables(big), "big-endian");
  auto hdf5 = mat_file("");
  hdf5[124] = '\0', hdf5[125] = '\2';
  EXPECT_SAYS(read_variables(hdf5), "HDF5");
  EXPECT_SAYS(read_variables(mat_file("tail")), "a variable's tag");
  EXPECT_SAYS(read_variables(mat_file(mat_element(9, "12345678"))), "arrays");
}

TEST(MatFileTest, HugeSizesTakeNoMemory) {
  constexpr int32_t most = 0x7fffffff;
  const auto reading = [](const std::vector<int32_t>& sizes, const std::string& values, bool packed) {
    const auto array = mat_array("x", 9, sizes, values);
    return read_variables(mat_file(packed ? packed_mat_array(array) : array));
  };
  for (const bool packed : {false, true}) {
    EXPECT_SAYS(reading({most, 2}, mat_element(2, six), packed), "6 bytes");
    EXPECT_SAYS(reading({most, most, most, most}, mat_element(2, six), packed), "at most");
    EXPECT_SAYS(reading({most, most, 0, most}, mat_element(2, ""), packed), "at most");
    EXPECT_SAYS(reading({-1, 6}, mat_element(2, six), packed), "sizes");
    // The values' tag tells the same lie.
    EXPECT_SAYS(reading({1 << 30, 2}, little_endian(2, 4) + little_endian(1u << 31, 4) + six + "..", packed),
                "another 2147483648 bytes");
  }
  // So does the tag of all of it; packed, it is beyond what so few bytes unpack to.
  auto array = mat_array("x", 9, {1 << 30, 2}, little_endian(2, 4) + little_endian(1u << 31, 4) + six + "..");
  array.replace(4, 4, little_endian((1u << 31) + 100, 4));
  EXPECT_SAYS(read_variables(mat_file(array)), "truncated");
  EXPECT_SAYS(read_variables(mat_file(packed_mat_array(array))), "bytes in an array");
  EXPECT_SAYS(reading(std::vector<int32_t>(40, 1), mat_element(2, "\1"), false), "at most 128 bytes");
  EXPECT_SAYS(reading({6}, mat_element(2, six), false), "2 to 32 sizes");
}

TEST(MatFileTest, RejectsWhatDoesNotFit) {
  EXPECT_SAYS(read_variables(mat_file(mat_array("x", 9, {2, 3}, mat_element(2, six + six)))), "12 bytes");
  EXPECT_SAYS(read_variables(mat_file(mat_array("x", 9, {2, 3}, mat_element(4, six)))), "6 bytes");
  const auto x = mat_array("x", 9, {1, 6}, mat_element(2, six));
  EXPECT_SAYS(read_variables(mat_file(x + x)), "two");
  EXPECT_SAYS(read_variables(mat_file(packed_mat_array(x + x))), "nothing behind");
  auto packed = packed_mat_array(x);
  packed += "junk";
  packed.replace(4, 4, little_endian(packed.size() - 8, 4));
  EXPECT_SAYS(read_variables(mat_file(packed)), "nothing behind it");
  auto damaged = packed_mat_array(x);
  damaged.back() ^= 1;  // of the checksum
  EXPECT_THROW(read_variables(mat_file(damaged)), c10::ValueError);
}

TEST(MatFileTest, RejectsEveryTruncation) {
  const auto x = mat_array("x", 9, {1, 6}, mat_element(2, six));
  for (const auto& file : {mat_file(x), mat_file(packed_mat_array(x))}) {
    EXPECT_NO_THROW(read_variables(file, {"x"}));
    for (size_t length = 0; length < file.size(); ++length) {
      EXPECT_THROW(read_variables(file.substr(0, length), {"x"}), c10::ValueError) << length;
    }
  }
}

}  // namespace
}  // namespace optotorch
