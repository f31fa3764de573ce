#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/core/npy.h>
#include <support/mesh_cases.h>
#include <support/npy_files.h>

#include <string>

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
    for (const int version : {1, 2}) {
      EXPECT_TRUE(load(npy(tensor, header, version)).equal(tensor)) << header;
    }
  }
  const std::string padded = dictionary("<f8", "False", "(2, 3)") + std::string(70'000, ' ') + "\n";
  EXPECT_TRUE(load(npy(tensor, padded, 2)).equal(tensor));  // more than version 1.0 can say
}

TEST_F(NpyTest, OtherKindsAreRejected) {
  for (const std::string type : {"<f2", ">f8", "=f8", "<i8", "<c16", "|f8", "f8", ""}) {
    expect_header_rejected("'<f8' or '<f4'", dictionary(type, "False", "(2, 3)"));
  }
  expect_header_rejected("C order", dictionary("<f8", "True", "(2, 3)"));
  const auto sound = npy(at::ones({2, 3}, at::kDouble));
  for (const auto& [position, value] :
       std::vector<std::pair<size_t, uint8_t>>{{0, 0}, {5, 'y'}, {6, 0}, {6, 3}, {7, 1}}) {
    auto bytes = sound;
    bytes[position] = value;
    expect_rejected("version 1.0 or 2.0", bytes);
  }
  expect_complaint({"load_npy", "absent.npy", "Check the path"},
                   [&] { load_npy(folder_.path() + "/absent.npy"); });
  expect_complaint({"load_npy", folder_.path(), "Check the path"}, [&] { load_npy(folder_.path()); });
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
