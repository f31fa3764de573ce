#include <optotorch/trainers/datasets/text/utf8.h>
#include <support/errors.h>

#include <optional>

namespace optotorch {
namespace {

std::u32string read_all(std::string_view text) {
  std::u32string all;
  for (size_t position = 0; position < text.size();) {
    all.push_back(read_code_point(text, position, "file", "text"));
  }
  return all;
}

std::string written(char32_t code_point) {
  std::string text;
  append_code_point(text, code_point);
  return text;
}

/// The one character that `text` is, if it is one.
std::optional<char32_t> character(const std::string& text) {
  try {
    const auto all = read_all(text);
    return all.size() == 1 ? std::optional(all[0]) : std::nullopt;
  } catch (const c10::ValueError&) {
    return std::nullopt;
  }
}

TEST(Utf8Test, KnownCharacters) {
  EXPECT_EQ(read_all("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"), U"a\u00e9\u20ac\U0001f600");
  EXPECT_EQ(written(0xE9), "\xC3\xA9");
  EXPECT_EQ(written(0x20AC), "\xE2\x82\xAC");
  EXPECT_EQ(written(0x1F600), "\xF0\x9F\x98\x80");
  EXPECT_EQ(read_all(std::string_view("\0b", 2)), std::u32string_view(U"\0b", 2));
}

TEST(Utf8Test, EveryCharacterReturns) {
  std::string text;
  for (char32_t c = 0; c < 0x110000; c += c == 0xD7FF ? 0x801 : 1) {
    append_code_point(text, c);
  }
  EXPECT_EQ(text.size(), 0x80u + 2 * 0x780u + 3 * (0xF800u - 0x800u) + 4 * 0x100000u);
  size_t position = 0;
  for (char32_t c = 0; c < 0x110000; c += c == 0xD7FF ? 0x801 : 1) {
    ASSERT_EQ(read_code_point(text, position, "file", "text"), c);
  }
  EXPECT_EQ(position, text.size());
}

// RFC 3629, section 4: which second bytes may follow which first ones.
TEST(Utf8Test, FollowsTheTableOfTheStandard) {
  const auto may_follow = [](int lead, int second) {
    const auto in = [second](int low, int high) { return second >= low && second <= high; };
    switch (lead) {
      case 0xE0:
        return in(0xA0, 0xBF);
      case 0xED:
        return in(0x80, 0x9F);
      case 0xF0:
        return in(0x90, 0xBF);
      case 0xF4:
        return in(0x80, 0x8F);
      default:
        return lead >= 0xC2 && lead < 0xF4 && in(0x80, 0xBF);
    }
  };
  for (int lead = 0x80; lead <= 0xFF; ++lead) {
    const size_t rest = lead < 0xE0 ? 0 : lead < 0xF0 ? 1 : 2;
    for (int second = 0; second <= 0xFF; ++second) {
      for (const char fill : {'\x80', '\xBF'}) {
        const auto text =
            std::string{static_cast<char>(lead), static_cast<char>(second)} + std::string(rest, fill);
        EXPECT_EQ(character(text).has_value(), may_follow(lead, second)) << lead << " " << second;
      }
    }
  }
  for (int byte = 0; byte <= 0xFF; ++byte) {
    EXPECT_EQ(character(std::string(1, static_cast<char>(byte))).has_value(), byte < 0x80) << byte;
  }
}

TEST(Utf8Test, SaysWhatIsWrongAtWhichByte) {
  EXPECT_SAYS(read_all("abc\x80"), "file: text: expected UTF-8, got 0x80 at byte 3, the continuation");
  EXPECT_SAYS(read_all("\xBF"), "at byte 0, the continuation");
  EXPECT_SAYS(read_all("\xC3\xA9\xC0\x80"), "0xC0 at byte 2, a character in 2 bytes that has a shorter form");
  EXPECT_SAYS(read_all("\xC1\xBF"), "shorter form");
  EXPECT_SAYS(read_all("\xE0\x80\x80"), "a character in 3 bytes that has a shorter form");
  EXPECT_SAYS(read_all("\xE0\x9F\xBF"), "shorter form");
  EXPECT_SAYS(read_all("\xF0\x80\x80\x80"), "a character in 4 bytes that has a shorter form");
  EXPECT_SAYS(read_all("\xF0\x8F\xBF\xBF"), "shorter form");
  EXPECT_SAYS(read_all("x\xED\xA0\x80"), "0xED at byte 1, half of a surrogate pair");
  EXPECT_SAYS(read_all("\xED\xBF\xBF"), "surrogate");
  EXPECT_SAYS(read_all("\xF4\x90\x80\x80"), "beyond U+10FFFF");
  EXPECT_SAYS(read_all("\xF7\xBF\xBF\xBF"), "beyond U+10FFFF");
  for (int byte = 0xF8; byte <= 0xFF; ++byte) {
    EXPECT_SAYS(read_all(std::string(1, static_cast<char>(byte)) + "\x80\x80\x80\x80\x80"),
                "which no character begins with");
  }
}

TEST(Utf8Test, SaysWhereACharacterIsCutOff) {
  EXPECT_SAYS(read_all("ab\xC3"), "0xC3 at byte 2, a character of 2 bytes, of which the text ends after 1");
  EXPECT_SAYS(read_all("\xE2\x82"), "a character of 3 bytes, of which the text ends after 2");
  EXPECT_SAYS(read_all("\xF0\x9F\x98"), "a character of 4 bytes, of which the text ends after 3");
  EXPECT_SAYS(read_all("\xF0"), "ends after 1");
  EXPECT_SAYS(read_all("\xC3z"), "a character of 2 bytes, of which byte 2 is 0x7A");
  EXPECT_SAYS(read_all("\xE2\x82\xC3\xA9"), "a character of 3 bytes, of which byte 3 is 0xC3");
  // The text in Latin-1.
  EXPECT_SAYS(read_all("caf\xE9 cr\xE8me"),
              "0xE9 at byte 3, a character of 3 bytes, of which byte 2 is 0x20");
}

TEST(Utf8Test, StaysWithinItsText) {
  // What follows in memory would complete the character.
  const std::string_view cut("\xF0\x9F\x98\x80", 2);
  EXPECT_SAYS(read_all(cut), "ends after 2");
}

TEST(Utf8Test, AFailureMovesNothing) {
  size_t position = 1;
  EXPECT_SAYS(read_code_point("a\xED\xA0\x80", position, "file", "text"), "surrogate");
  EXPECT_EQ(position, 1u);
}

}  // namespace
}  // namespace optotorch
