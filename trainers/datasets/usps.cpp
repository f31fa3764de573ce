#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/bzip2.h>
#include <optotorch/trainers/datasets/detail/set_files.h>
#include <optotorch/trainers/datasets/detail/text_numbers.h>
#include <optotorch/trainers/datasets/usps.h>

#include <vector>

namespace optotorch {
namespace {

constexpr int64_t usps_side = 16, usps_pixels = usps_side * usps_side;
constexpr auto usps_remedy =
    "Get it with torchvision.datasets.USPS(root, train=True or False, download=True)";

std::string file_of(ImageSet::Mode mode) {
  return mode == ImageSet::Mode::train ? "usps.bz2" : "usps.t.bz2";
}

ImageSet read_usps_file(const std::string& root, ImageSet::Mode mode) {
  const auto found = find_set("USPS", root, {{"", {file_of(mode)}}}, usps_remedy);
  return read_usps(open_regular_file(found.path(file_of(mode)), "data"));
}

/// "17:-0.25", of which 17 must be `index`; the value must lie in -1 to 1.
std::optional<float> value_of(std::string_view word, int64_t index) {
  const auto colon = word.find(':');
  if (colon == std::string_view::npos || whole_number(word.substr(0, colon)) != index) {
    return std::nullopt;
  }
  const auto value = real_number(word.substr(colon + 1));
  return value && *value >= -1 && *value <= 1 ? std::optional(static_cast<float>(*value)) : std::nullopt;
}

}  // namespace

ImageSet parse_usps(std::string_view text, const std::string& path) {
  std::vector<uint8_t> images;
  std::vector<int64_t> targets;
  LineReader lines(text);
  int64_t number = 0;
  for (std::string_view line; lines.next(line);) {
    ++number;
    const auto refuse = [&](const std::string& expected, const std::string& got) {
      reject({.where = path,
              .argument = c10::str("line ", number),
              .expected = expected,
              .got = got,
              .remedy = "The file is damaged or belongs to another data set"});
    };
    std::string_view word;
    if (!next_word(line, word)) {
      continue;
    }
    const auto label = whole_number(word);
    if (!label || *label < 1 || *label > 10) {
      refuse("a label from 1 to 10", shown(word));
    }
    targets.push_back(*label - 1);
    for (int64_t index = 1; index <= usps_pixels; ++index) {
      const bool any = next_word(line, word);
      const auto value = any ? value_of(word, index) : std::nullopt;
      if (!value) {
        refuse(c10::str(index, ":VALUE with a value from -1 to 1"),
               any ? shown(word) : "the end of the line");
      }
      images.push_back(static_cast<uint8_t>((*value + 1.0f) / 2.0f * 255.0f));
    }
    if (next_word(line, word)) {
      refuse(c10::str(usps_pixels, " values"), "more: " + shown(word));
    }
  }
  OPTOTORCH_CHECK(!targets.empty(), .where = path, .argument = "contents", .expected = "images",
                  .got = "an empty text");
  const auto count = static_cast<int64_t>(targets.size());
  return {"USPS", at::tensor(images, at::kByte).view({count, 1, usps_side, usps_side}),
          at::tensor(targets, at::kLong), numbered_names(10)};
}

ImageSet read_usps(InputFile file) {
  constexpr uint64_t most = uint64_t{1} << 28;
  const std::string path = file.name();
  return parse_usps(unpack_bzip2(std::move(file), most), path);
}

USPS::USPS(const std::string& root, Mode mode) : ImageSet(read_usps_file(root, mode)) {}

void USPS::verify(const std::string& root, Mode mode) {
  verify_set("USPS", root, {},
             {{file_of(mode), mode == Mode::train ? "ec16c51db3855ca6c91edd34d0e9b197"
                                                  : "8ea070ee2aca1ac39742fdd1ef5ed118"}},
             usps_remedy);
}

}  // namespace optotorch
