#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/text/utf8.h>

#include <array>
#include <cstdint>
#include <cstdio>

namespace optotorch {
namespace {

std::string hexadecimal(uint8_t byte) {
  char digits[8];
  std::snprintf(digits, sizeof digits, "0x%02X", byte);
  return digits;
}

}  // namespace

char32_t read_code_point(std::string_view text, size_t& position, const std::string& where,
                         const std::string& argument) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(position);
  if (lead < 0x80) {
    ++position;
    return lead;
  }
  const auto damaged = [&](const std::string& what) {
    reject({.where = where,
            .argument = argument,
            .expected = "UTF-8",
            .got = c10::str(hexadecimal(lead), " at byte ", position, ", ", what),
            .remedy = "A text in another encoding can be converted: iconv -f LATIN1 -t UTF-8"});
  };
  if (lead < 0xC0) {
    damaged("the continuation of a character that has not begun");
  }
  if (lead >= 0xF8) {
    damaged("which no character begins with");
  }
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t code_point = lead & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if (position + i == text.size()) {
      damaged(c10::str("a character of ", length, " bytes, of which the text ends after ", i));
    }
    const uint8_t next = byte(position + i);
    if ((next & 0xC0) != 0x80) {
      damaged(
          c10::str("a character of ", length, " bytes, of which byte ", i + 1, " is ", hexadecimal(next)));
    }
    code_point = code_point << 6 | (next & 0x3F);
  }
  constexpr std::array<char32_t, 5> least = {0, 0, 0x80, 0x800, 0x10000};
  if (code_point < least[length]) {
    damaged(c10::str("a character in ", length, " bytes that has a shorter form"));
  }
  if (code_point >= 0xD800 && code_point < 0xE000) {
    damaged("half of a surrogate pair, which belongs to UTF-16");
  }
  if (code_point > 0x10FFFF) {
    damaged("a character beyond U+10FFFF");
  }
  position += length;
  return code_point;
}

void append_code_point(std::string& text, char32_t code_point) {
  const auto put = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  const auto put_rest = [&](int bits) {
    for (; bits >= 0; bits -= 6) {
      put(0x80 | (code_point >> bits & 0x3F));
    }
  };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
    put_rest(0);
  } else if (code_point < 0x10000) {
    put(0xE0 | code_point >> 12);
    put_rest(6);
  } else {
    put(0xF0 | code_point >> 18);
    put_rest(12);
  }
}

}  // namespace optotorch
