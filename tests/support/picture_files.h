#pragma once

// Small picture files, with nothing of the code under test.

#include <support/temporary_folder.h>
#include <zlib.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace optotorch::testing {

/// 9 x 7 pixels, which Pillow reads as RGB that begins with 0e 29 82 17 3e 89 and ends with ff 38 5e; their
/// sum is 24814, that of its "L" 8476.
inline Bytes small_jpeg() {
  constexpr std::string_view digits =
      "ffd8ffe000104a46494600010100000100010000ffdb0043000d090a0b0a080d0b0a0b0e0e0d0f13201513121213271c"
      "1e17202e2931302e292d2c333a4a3e333646372c2d405741464c4e525352323e5a615a50604a51524fffdb0043010e0e"
      "0e131113261515264f352d354f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f"
      "4f4f4f4f4f4f4f4f4f4f4f4f4f4fffc00011080007000903012200021101031101ffc400160001010100000000000000"
      "000000000000000305ffc4001e10000201030500000000000000000000000102000511510414212242ffc40015010101"
      "00000000000000000000000000000205ffc4001f11010000050501000000000000000000000100020311b10405416181"
      "f1ffda000c03010002110311003f00bd29453e94fa8ea0a25d6e2e0b791c649131b60302221a97751517a3cb0e562cec"
      "320509a6e571f63fffd9";
  const auto value = [](char digit) { return digit <= '9' ? digit - '0' : digit - 'a' + 10; };
  Bytes bytes;
  for (size_t i = 0; i < digits.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(value(digits[i]) * 16 + value(digits[i + 1])));
  }
  return bytes;
}

inline Bytes bytes_of_text(const std::string& text) {
  return {text.begin(), text.end()};
}

inline void append_big(Bytes& bytes, uint32_t number) {
  for (const int bits : {24, 16, 8, 0}) {
    bytes.push_back(static_cast<uint8_t>(number >> bits));
  }
}

inline void append_chunk(Bytes& bytes, const std::string& type, const Bytes& data) {
  append_big(bytes, static_cast<uint32_t>(data.size()));
  const size_t begin = bytes.size();
  bytes.insert(bytes.end(), type.begin(), type.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  append_big(bytes,
             static_cast<uint32_t>(crc32(0, bytes.data() + begin, static_cast<uInt>(bytes.size() - begin))));
}

struct PngHeader {
  uint32_t width, height;
  uint8_t bits = 8, colour = 2, interlaced = 0;
};

/// `rows`: each row's bytes behind a filter type, all in one.
inline Bytes png(const PngHeader& header, const Bytes& rows) {
  Bytes bytes = bytes_of_text("\x89PNG\r\n\x1a\n"), head, packed(compressBound(rows.size()));
  append_big(head, header.width);
  append_big(head, header.height);
  head.insert(head.end(), {header.bits, header.colour, 0, 0, header.interlaced});
  append_chunk(bytes, "IHDR", head);
  uLongf size = packed.size();
  compress(packed.data(), &size, rows.data(), rows.size());
  packed.resize(size);
  append_chunk(bytes, "IDAT", packed);
  append_chunk(bytes, "IEND", {});
  return bytes;
}

/// 2 x 2 pixels: 1 2 3, 4 5 6; 7 8 9, 250 251 252.
inline Bytes small_png() {
  return png({2, 2}, {0, 1, 2, 3, 4, 5, 6, 0, 7, 8, 9, 250, 251, 252});
}

/// The same pixels.
inline Bytes small_ppm() {
  Bytes bytes = bytes_of_text("P6\n2 2\n255\n");
  bytes.insert(bytes.end(), {1, 2, 3, 4, 5, 6, 7, 8, 9, 250, 251, 252});
  return bytes;
}

}  // namespace optotorch::testing
