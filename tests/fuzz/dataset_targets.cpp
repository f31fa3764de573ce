// Readers of trainers/datasets.

#include <ATen/ATen.h>
#include <optotorch/trainers/datasets/detail/byte_source.h>
#include <optotorch/trainers/datasets/idx.h>
#include <optotorch/trainers/datasets/image_file.h>
#include <optotorch/trainers/datasets/text/characters.h>
#include <optotorch/trainers/datasets/text/utf8.h>
#include <support/idx_files.h>
#include <support/picture_files.h>

#include <algorithm>
#include <stdexcept>

#include "fuzz/fuzz.h"

namespace optotorch::fuzz {
namespace {

using testing::Bytes;

std::string text(const Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}

int idx(const uint8_t* data, size_t size) {
  return attempt([&] { read_idx(InputFile(text_of(data, size), "file")); });
}

std::vector<std::string> idx_seeds() {
  std::vector<std::string> seeds;
  for (const auto& [code, width] : std::vector<std::pair<uint8_t, size_t>>{
           {0x08, 1}, {0x09, 1}, {0x0B, 2}, {0x0C, 4}, {0x0D, 4}, {0x0E, 8}}) {
    const auto file = testing::idx(code, {2, 3}, testing::noise(6 * width));
    seeds.push_back(text(file));
    seeds.push_back(text(testing::gzipped(file)));
  }
  return seeds;
}

const std::vector<std::string> idx_words = {std::string("\0\0\x08\1", 4), std::string("\0\0\x0E\x08", 4),
                                            std::string("\0\0\0\1", 4),   "\x1f\x8b\x08",
                                            std::string(8, '\0'),         "\xff\xff\xff\xff"};
const Registered idx_target({"idx", idx, idx_seeds, idx_words});

int gzip(const uint8_t* data, size_t size) {
  return attempt([&] {
    const auto source = bytes_of(InputFile(text_of(data, size), "file"));
    std::vector<uint8_t> piece(1000);
    // As many as a small file may hold at most.
    for (uint64_t left = source->most() + 1; left > 0;) {
      const size_t came = source->read(piece.data(), piece.size());
      if (came < piece.size()) {
        break;
      }
      left -= std::min<uint64_t>(left, came);
      if (left == 0) {
        throw std::logic_error("more bytes than the source said that could come");
      }
    }
  });
}

std::vector<std::string> gzip_seeds() {
  std::vector<std::string> seeds;
  for (const auto& bytes : {Bytes{}, testing::noise(300), Bytes(5000, 7)}) {
    const auto packed = testing::gzipped(bytes);
    seeds.push_back(text(packed));
    seeds.push_back(text(packed) + text(packed));
    seeds.push_back(text(packed) + std::string(600, '\0') + text(packed));
    seeds.push_back(text(bytes));
  }
  return seeds;
}

const Registered gzip_target({"gzip", gzip, gzip_seeds, {"\x1f\x8b\x08", std::string(10, '\0'), "\x1f\x8b"}});

int image_file(const uint8_t* data, size_t size) {
  constexpr int64_t most_pixels = 1 << 16;
  return attempt([&] {
    const auto read = [&](ImageFileMode mode) {
      return read_image_file(InputFile(text_of(data, size), "file"), mode, most_pixels);
    };
    const auto image = read(ImageFileMode::rgb), grey = read(ImageFileMode::grey);
    const bool sound = image.dim() == 3 && image.size(0) == 3 && image.is_contiguous() &&
                       image.numel() <= 3 * most_pixels && grey.size(0) == 1 &&
                       grey.numel() * 3 == image.numel();
    if (!sound) {
      throw std::logic_error("another image than was asked for");
    }
  });
}

std::vector<std::string> image_file_seeds() {
  std::vector<std::string> seeds = {"P2 2 1 7 3 7\n",           "P3 1 1 255 1 2 3",
                                    "P5\n# note\n2 1\n255\nab", text(testing::small_jpeg()),
                                    text(testing::small_png()), text(testing::small_ppm())};
  for (const uint8_t colour : {0, 2, 4, 6}) {
    // Both at once are not supported.
    for (const auto& [bits, interlaced] : std::vector<std::pair<uint8_t, uint8_t>>{{8, 0}, {16, 0}, {8, 1}}) {
      seeds.push_back(text(testing::png({1, 2, bits, colour, interlaced}, Bytes(40, 0))));
    }
  }
  std::string bmp = "BM" + std::string(52, '\0') + "blueblue";
  bmp[10] = 54, bmp[14] = 40, bmp[18] = bmp[26] = 1, bmp[22] = 2, bmp[28] = 24;
  seeds.push_back(bmp);
  return seeds;
}

const Registered image_file_target(
    {"image-file", image_file, image_file_seeds, {"\xff\xd8\xff", "\xff\xd9", "\xff\xda", "\xff\xc2",
                                                  "\xff\xc4",     "\xff\xdd", "\xff\xee", "\x89PNG\r\n\x1a\n",
                                                  "IHDR",         "PLTE",     "IDAT",     "IEND",
                                                  "tRNS",         "iCCP",     "P3",       "P5",
                                                  "P6",           "#",        "255",      "BM"}});

int characters(const uint8_t* data, size_t size) {
  const auto read = [&](TextForm form) {
    return attempt([&] {
      const auto text = read_characters(InputFile(text_of(data, size), "file"), 1 << 16, form);
      const auto again = text.decode(text.ids());
      if (!text.encode(again).equal(text.ids())) {
        throw std::logic_error("a text that does not come back");
      }
      if (form == TextForm::exact && again != text_of(data, size) && size > 1 && data[0] != 0x1f) {
        throw std::logic_error("another text than the file's");
      }
    });
  };
  read(TextForm::exact);
  return read(TextForm::portable);
}

std::vector<std::string> characters_seeds() {
  return {"First Citizen:\nBefore we proceed",
          "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
          "a\r\nb\rc\n",
          "\xef\xbb\xbftext",
          "x",
          text(testing::gzipped(testing::Bytes(2000, 'a')))};
}

const Registered characters_target({"characters",
                                    characters,
                                    characters_seeds,
                                    {"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff", "\r\n", "\r",
                                     std::string(1, '\0'), "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                     "\xf0\x9f\x98\x80", "\xe2\x80\xae"}});

int utf8(const uint8_t* data, size_t size) {
  return attempt([&] {
    const auto bytes = text_of(data, size);
    std::string again;
    for (size_t position = 0; position < bytes.size();) {
      const size_t before = position;
      append_code_point(again, read_code_point(bytes, position, "fuzz", "text"));
      if (position <= before) {
        throw std::logic_error("no step");
      }
    }
    if (again != bytes) {
      throw std::logic_error("another text");
    }
  });
}

std::vector<std::string> utf8_seeds() {
  return {"plain", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", std::string("\0", 1), "\xf4\x8f\xbf\xbf"};
}

const Registered utf8_target({"utf8",
                              utf8,
                              utf8_seeds,
                              {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x9f\x98\x80", "\xc3",
                               "\xe2\x82"}});

}  // namespace
}  // namespace optotorch::fuzz
