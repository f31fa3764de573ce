#include <optotorch/core/detail/printable.h>

#include <cstdint>
#include <cstdio>
#include <vector>

namespace optotorch {
namespace {

struct Character {
  uint32_t code = 0;
  size_t length = 0;  // 0: the byte here begins no UTF-8
};

Character first_of(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(text[i])); };
  const uint32_t head = byte(0);
  if (head < 0x80) {
    return {head, 1};
  }
  const size_t length = head >= 0xF0 ? 4 : head >= 0xE0 ? 3 : 2;
  if (head < 0xC2 || head > 0xF4 || text.size() < length) {
    return {};
  }
  uint32_t code = head & (0x7FU >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) {
      return {};
    }
    code = code << 6 | (byte(i) & 0x3F);
  }
  const bool overlong = code < (length == 2 ? 0x80U : length == 3 ? 0x800U : 0x10000U);
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return overlong || surrogate || code > 0x10FFFF ? Character{} : Character{code, length};
}

bool is_printed(uint32_t code) {
  const bool control = code < 0x20 || (code >= 0x7F && code <= 0x9F);
  const bool separates_lines = code == 0x2028 || code == 0x2029;
  const bool turns_text = code == 0x061C || code == 0x200E || code == 0x200F ||
                          (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
  return !control && !separates_lines && !turns_text;
}

std::string escaped(const char* format, uint32_t value) {
  char digits[16];
  std::snprintf(digits, sizeof digits, format, static_cast<unsigned>(value));
  return digits;
}

}  // namespace

std::string printable(std::string_view text, size_t most) {
  const std::string gap = " ... ";
  // Four bytes a character: what lies beyond them at either end is never shown.
  const size_t shown = 4 * most;
  std::vector<std::string> head, tail;
  const auto append = [](std::string_view part, std::vector<std::string>& to) {
    while (!part.empty()) {
      const auto [code, length] = first_of(part);
      if (length == 0) {
        to.push_back(escaped("\\x%02x", static_cast<unsigned char>(part[0])));
        part.remove_prefix(1);
        continue;
      }
      const char* format = code < 0x80 ? "\\x%02x" : "\\u%04x";
      to.push_back(is_printed(code) ? std::string(part.substr(0, length)) : escaped(format, code));
      part.remove_prefix(length);
    }
  };
  const bool huge = text.size() > 2 * shown;
  append(huge ? text.substr(0, shown) : text, head);
  if (huge) {
    append(text.substr(text.size() - shown), tail);
  }
  std::string all;
  const auto join = [&all](const std::vector<std::string>& parts, size_t from, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      all += parts[from + i];
    }
  };
  if (!huge && head.size() <= most) {
    join(head, 0, head.size());
    return all;
  }
  const size_t last = most / 3;
  const auto& ends = huge ? tail : head;
  join(head, 0, most - last);
  all += gap;
  join(ends, ends.size() - last, last);
  return all;
}

}  // namespace optotorch
