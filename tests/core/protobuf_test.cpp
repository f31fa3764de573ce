#include <gtest/gtest.h>
#include <optotorch/core/detail/protobuf.h>

#include <cmath>

namespace optotorch {
namespace {

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char byte : bytes) {
    constexpr char digits[] = "0123456789abcdef";
    text += digits[static_cast<unsigned char>(byte) >> 4];
    text += digits[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

/// The examples of the encoding's own description.
TEST(ProtobufTest, IsTheWireFormat) {
  EXPECT_EQ(hex(Protobuf().integer(1, 150).text()), "089601");
  EXPECT_EQ(hex(Protobuf().bytes(2, "testing").text()), "120774657374696e67");
  EXPECT_EQ(hex(Protobuf().message(3, Protobuf().integer(1, 150)).text()), "1a03089601");
  EXPECT_EQ(hex(Protobuf().integers(6, {3, 270, 86942}).text()), "3206038e029ea705");
}

TEST(ProtobufTest, NumbersOfEverySize) {
  EXPECT_EQ(hex(Protobuf().integer(1, 0).text()), "0800");
  EXPECT_EQ(hex(Protobuf().integer(1, -2).text()), "08feffffffffffffffff01");
  EXPECT_EQ(hex(Protobuf().integer(16, 127).text()), "80017f");
  EXPECT_EQ(hex(Protobuf().float32(1, 1.0F).text()), "0d0000803f");
  EXPECT_EQ(hex(Protobuf().float64(1, -2.0).text()), "0900000000000000c0");
  EXPECT_EQ(hex(Protobuf().float64s(7, {1.0}).text()), "3a08000000000000f03f");
  EXPECT_EQ(hex(Protobuf().bytes(1, "").integers(2, {}).text()), "0a001200");
}

}  // namespace
}  // namespace optotorch
