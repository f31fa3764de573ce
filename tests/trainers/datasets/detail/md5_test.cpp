#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/detail/md5.h>

namespace optotorch {
namespace {

std::string md5(const std::string& text) {
  return md5_of(InputFile(text, "text"));
}

/// RFC 1321, A.5.
TEST(Md5Test, KnownAnswers) {
  EXPECT_EQ(md5(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(md5("a"), "0cc175b9c0f1b6a831c399e269772661");
  EXPECT_EQ(md5("abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(md5("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(md5("abcdefghijklmnopqrstuvwxyz"), "c3fcd3d76192e4007dfb496cca67e13b");
  EXPECT_EQ(md5("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
            "d174ab98d277d9f5a5611c2c9f419d9f");
  EXPECT_EQ(md5("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
            "57edf4a22be3c955ac49da2e2107b67a");
  EXPECT_EQ(md5(std::string(1'000'000, 'a')), "7707d6ae4e027c70eea2a935c2296f21");
}

TEST(Md5Test, PiecesMakeNoDifference) {
  std::string text;
  for (size_t length = 0; length < 260; ++length) {
    for (const size_t piece : {size_t{1}, size_t{7}, size_t{55}, size_t{64}, size_t{65}}) {
      Md5 sum;
      for (size_t i = 0; i < text.size(); i += piece) {
        sum.update(text.data() + i, std::min(piece, text.size() - i));
      }
      ASSERT_EQ(sum.digest(), md5(text)) << length << " " << piece;
    }
    text += static_cast<char>(length * 31);
  }
}

}  // namespace
}  // namespace optotorch
