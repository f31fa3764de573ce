#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/core/npy.h>
#include <support/mesh_cases.h>
#include <support/npy_files.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace optotorch {
namespace {

using testing::Bytes;
using testing::npy;
using testing::npy_header;

/// As numpy.save writes it.
std::string dictionary(const std::string& type, const std::string& order, const std::string& shape) {
  return "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
}

class NpyTest : public ::testing::Test {
 protected:
  at::Tensor load(const Bytes& bytes) const { return load_npy(folder_.write("file.npy", bytes)); }

  void expect_rejected(const std::string& part, const Bytes& bytes) const {
    expect_complaint({"load_npy", "file.npy", part}, [&] { load(bytes); });
  }

  void expect_header_rejected(const std::string& part, const std::string& header) const {
    auto bytes = npy_header(header);
    bytes.resize(bytes.size() + 48);  // the data of [2, 3] float64
    SCOPED_TRACE(header);
    expect_rejected(part, bytes);
  }

  testing::TemporaryFolder folder_;
};

TEST_F(NpyTest, ReadsBothTypesAndEveryShape) {
  for (const auto type : {at::kFloat, at::kDouble}) {
    for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{
             {}, {1}, {5}, {2, 3}, {1, 64}, {4, 1, 3}, {0}, {0, 7}, {7, 0}, {2, 1, 1, 1, 1, 1, 3}}) {
      const auto tensor = at::randn(shape, type);
      const auto read = load(npy(tensor));
      EXPECT_EQ(read.scalar_type(), type);
      EXPECT_TRUE(read.equal(tensor)) << tensor.sizes();
    }
  }
  // NaN and infinities are values.
  EXPECT_TRUE(load(npy(at::full({2}, std::nan(""), at::kDouble))).isnan().all().item<bool>());
}

TEST_F(NpyTest, ReadsWhatTheFormatAllows) {
  const auto tensor = at::arange(6, at::kDouble).view({2, 3});
  for (const std::string header :
       {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }",
        "{'shape':(2,3,),'fortran_order':False,'descr':\"<f8\"}",
        " { 'fortran_order' : False , \"shape\" : ( 2 , 3 ) , 'descr' : '<f8' } \n"}) {
    for (const int version : {1, 2, 3}) {
      EXPECT_TRUE(load(npy(tensor, header, version)).equal(tensor)) << header;
    }
  }
  const std::string padded = dictionary("<f8", "False", "(2, 3)") + std::string(70'000, ' ') + "\n";
  EXPECT_TRUE(load(npy(tensor, padded, 2)).equal(tensor));  // more than version 1.0 can say
}

TEST_F(NpyTest, ReadsFortranOrder) {
  const auto tensor = at::arange(24, at::kDouble).view({2, 3, 4});
  // In Fortran order the first index runs fastest.
  const auto read = load(npy(tensor.permute({2, 1, 0}), dictionary("<f8", "True", "(2, 3, 4)")));
  EXPECT_TRUE(read.equal(tensor));
  EXPECT_TRUE(read.is_contiguous());
  EXPECT_TRUE(load(npy(at::ones({5}), dictionary("<f4", "True", "(5,)"))).equal(at::ones({5})));
  EXPECT_TRUE(load(npy(at::ones({}), dictionary("<f4", "True", "()"))).equal(at::ones({})));
  EXPECT_EQ(load(npy(at::ones({0}), dictionary("<f4", "True", "(0, 7)"))).sizes(), at::IntArrayRef({0, 7}));
}

TEST_F(NpyTest, ReadsEveryTypeInBothByteOrders) {
  const auto ones = [](at::ScalarType type) { return at::tensor({1., 0., 3.}, at::kDouble).to(type); };
  const std::vector<std::pair<std::string, at::ScalarType>> types = {
      {"f8", at::kDouble},       {"f4", at::kFloat},  {"f2", at::kHalf},  {"c16", at::kComplexDouble},
      {"c8", at::kComplexFloat}, {"i8", at::kLong},   {"i4", at::kInt},   {"i2", at::kShort},
      {"u8", at::kUInt64},       {"u4", at::kUInt32}, {"u2", at::kUInt16}};
  for (const auto& [name, type] : types) {
    SCOPED_TRACE(name);
    const auto tensor = ones(type);
    for (const std::string order : {"<", "="}) {
      const auto read = load(npy(tensor, dictionary(order + name, "False", "(3,)")));
      EXPECT_EQ(read.scalar_type(), type);
      EXPECT_TRUE(read.equal(tensor));
    }
    auto swapped = tensor.clone();
    const size_t number = tensor.element_size() / (tensor.is_complex() ? 2 : 1);
    auto* const bytes = static_cast<uint8_t*>(swapped.mutable_data_ptr());
    for (auto* next = bytes; next < bytes + swapped.nbytes(); next += number) {
      std::reverse(next, next + number);
    }
    EXPECT_TRUE(load(npy(swapped, dictionary(">" + name, "False", "(3,)"))).equal(tensor));
  }
  for (const std::string order : {"<", ">", "|", "="}) {
    EXPECT_TRUE(load(npy(ones(at::kChar), dictionary(order + "i1", "False", "(3,)"))).equal(ones(at::kChar)));
    EXPECT_TRUE(load(npy(ones(at::kByte), dictionary(order + "u1", "False", "(3,)"))).equal(ones(at::kByte)));
    // Any byte but 0 is true.
    EXPECT_TRUE(load(npy(ones(at::kByte), dictionary(order + "b1", "False", "(3,)"))).equal(ones(at::kBool)));
  }
}

/// Header and data as numpy.save of NumPy 2.4 writes them.
TEST_F(NpyTest, WritesWhatNumPyWrites) {
  struct Case {
    at::Tensor tensor;
    std::string header;
  };
  const auto complex = at::complex(at::tensor({1.5}, at::kFloat), at::tensor({-2.}, at::kFloat));
  const std::vector<Case> cases = {
      {at::arange(1, 7, at::kDouble).view({2, 3}),
       "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }" + std::string(58, ' ') + "\n"},
      {complex, "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }" + std::string(60, ' ') + "\n"},
      {at::full({}, 3, at::kFloat),
       "{'descr': '<f4', 'fortran_order': False, 'shape': (), }" + std::string(62, ' ') + "\n"},
      {at::zeros({0, 7}, at::kComplexDouble),
       "{'descr': '<c16', 'fortran_order': False, 'shape': (0, 7), }" + std::string(57, ' ') + "\n"}};
  for (const auto& [tensor, header] : cases) {
    const auto path = folder_.path() + "/written.npy";
    save_npy(path, tensor);
    std::ifstream file(path, std::ios::binary);
    const Bytes bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    EXPECT_EQ(bytes, npy(tensor, header)) << tensor.sizes();
    EXPECT_TRUE(load_npy(path).equal(tensor));
  }
}

TEST_F(NpyTest, WritesViewsAndRefusesOtherTypes) {
  const auto path = folder_.path() + "/written.npy";
  const auto tensor = at::randn({3, 4}, at::kComplexDouble);
  for (const auto& view : {tensor.t(), tensor.conj(), tensor.narrow(1, 1, 2), tensor.expand({2, 3, 4}),
                           at::imag(tensor.conj()), tensor.requires_grad_()}) {
    save_npy(path, view);
    EXPECT_TRUE(load_npy(path).equal(view.detach()));
  }
  for (const auto& wrong : {at::ones({2}, at::kLong), at::ones({2}, at::kHalf), at::ones({2}, at::kBool),
                            at::Tensor(), at::ones({2}, at::kMeta)}) {
    expect_complaint({"save_npy", "other.npy", "complex128"},
                     [&] { save_npy(folder_.path() + "/other.npy", wrong); });
  }
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/other.npy"));
  expect_complaint({"nowhere/x.npy"}, [&] { save_npy(folder_.path() + "/nowhere/x.npy", at::ones({2})); });
}

TEST_F(NpyTest, OtherKindsAreRejected) {
  for (const std::string type : {"|f8", "f8", "", "<", "<f16", "<c32", "<U4", "|O", "|V8", "<M8[s]", "#f8"}) {
    expect_header_rejected("such as '<f8' or '<c16', got '" + type + "'",
                           dictionary(type, "False", "(2, 3)"));
  }
  const auto sound = npy(at::ones({2, 3}, at::kDouble));
  for (const auto& [position, value] :
       std::vector<std::pair<size_t, uint8_t>>{{0, 0}, {5, 'y'}, {6, 0}, {6, 4}, {7, 1}}) {
    auto bytes = sound;
    bytes[position] = value;
    expect_rejected("version 1.0, 2.0 or 3.0", bytes);
  }
  expect_complaint({"load_npy", "absent.npy", "Check the path"},
                   [&] { load_npy(folder_.path() + "/absent.npy"); });
  expect_complaint({"load_npy", folder_.path(), "a folder"}, [&] { load_npy(folder_.path()); });
  const auto pipe = folder_.path() + "/pipe.npy";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  expect_complaint({"load_npy", pipe, "a pipe"}, [&] { load_npy(pipe); });  // and does not wait for a writer
}

TEST_F(NpyTest, WrongHeadersAreRejected) {
  const std::string parts = "a header {'descr'";
  for (const std::string shape : {"(2, 3", "2, 3)", "(2 3)", "(6)", "(,)", "(2,,3)", "(-2, -3)", "(2L, 3)",
                                  "(2., 3)", "[2, 3]", "(0x2, 3)", "None", "(2, 99999999999999999999)", ""}) {
    expect_header_rejected(parts, dictionary("<f8", "False", shape));
  }
  expect_header_rejected(parts, dictionary("<f8", "false", "(2, 3)"));
  expect_header_rejected(parts, dictionary("<f8", "0", "(2, 3)"));
  expect_header_rejected(parts, "");
  expect_header_rejected(parts, "{}");
  expect_header_rejected(parts, "{'descr': '<f8', 'shape': (2, 3), }");
  expect_header_rejected(parts, "{'descr': '<f8', 'fortran_order': False, }");
  expect_header_rejected(parts, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), 'more': 1}");
  expect_header_rejected(parts, "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)}");
  expect_header_rejected(parts, "{'descr': '<f8' 'fortran_order': False, 'shape': (2, 3)}");
  expect_header_rejected(parts, "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2, 3)}");
  expect_header_rejected(parts, "{'descr': '<f8, 'fortran_order': False, 'shape': (2, 3)}");
  expect_header_rejected(parts, dictionary("<f8", "False", "(2, 3)") + " x");
  std::string many = "(";
  for (int i = 0; i < 65; ++i) {
    many += "1, ";
  }
  expect_header_rejected(parts, dictionary("<f8", "False", many + ")"));
}

TEST_F(NpyTest, TheLengthMustFitTheShape) {
  const auto sound = npy(at::ones({2, 3}, at::kDouble));
  for (size_t length = 0; length < sound.size(); ++length) {
    expect_rejected("", Bytes(sound.begin(), sound.begin() + static_cast<std::ptrdiff_t>(length)));
  }
  auto longer = sound;
  longer.push_back(0);
  expect_rejected("48 bytes of data for the shape [2, 3], got 49 bytes", longer);
  for (const std::string shape : {"(2, 4)", "(6, 2)", "()", "(0,)", "(1000000000000,)"}) {
    expect_header_rejected("bytes of data for the shape", dictionary("<f8", "False", shape));
  }
  // Products that overflow, to 0 or to the 48 bytes that are there.
  for (const std::string shape :
       {"(4611686018427387904, 4)", "(9223372036854775807, 9223372036854775807)",
        "(0, 4611686018427387904, 8)", "(2305843009213693952,)", "(2305843009213693958,)"}) {
    expect_header_rejected("beyond any memory", dictionary("<f8", "False", shape));
  }
}

}  // namespace
}  // namespace optotorch
