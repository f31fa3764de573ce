#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/set_files.h>
#include <optotorch/trainers/datasets/detail/text_numbers.h>
#include <optotorch/trainers/datasets/semeion.h>

#include <vector>

namespace optotorch {
namespace {

constexpr int64_t semeion_side = 16, semeion_pixels = semeion_side * semeion_side, semeion_classes = 10;
constexpr auto file_name = "semeion.data";
constexpr auto semeion_remedy = "Get it with torchvision.datasets.SEMEION(root, download=True)";

ImageSet read_file(const std::string& root) {
  const auto found = find_set("SEMEION", root, {{"", {file_name}}}, semeion_remedy);
  return read_semeion(open_regular_file(found.path(file_name), "data"));
}

}  // namespace

ImageSet read_semeion(InputFile file) {
  constexpr uint64_t most = uint64_t{1} << 26;
  const std::string path = file.name();
  OPTOTORCH_CHECK(file.size() <= most, .where = path, .argument = "length",
                  .expected = c10::str("at most ", most, " bytes"), .got = c10::str(file.size()));
  const std::string text = file.rest();
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
    int64_t column = 0, ones = 0;
    for (; next_word(line, word); ++column) {
      const auto value = real_number(word);
      if (!value || *value < 0 || *value > 1) {
        refuse("numbers from 0 to 1", shown(word));
      }
      if (column < semeion_pixels) {
        images.push_back(static_cast<uint8_t>(*value * 255));
      } else if (*value != 0) {
        ++ones;
        targets.push_back(column - semeion_pixels);
      }
    }
    if (column == 0) {
      continue;
    }
    if (column != semeion_pixels + semeion_classes) {
      refuse(c10::str(semeion_pixels + semeion_classes, " numbers"), c10::str(column));
    }
    if (ones != 1) {
      refuse(c10::str("one class marked in the last ", semeion_classes, " numbers"), c10::str(ones));
    }
  }
  OPTOTORCH_CHECK(!targets.empty(), .where = path, .argument = "contents", .expected = "images",
                  .got = "an empty text");
  const auto count = static_cast<int64_t>(targets.size());
  return {"SEMEION", at::tensor(images, at::kByte).view({count, 1, semeion_side, semeion_side}),
          at::tensor(targets, at::kLong), numbered_names(10)};
}

SEMEION::SEMEION(const std::string& root) : ImageSet(read_file(root)) {}

void SEMEION::verify(const std::string& root) {
  verify_set("SEMEION", root, {}, {{file_name, "cb545d371d2ce14ec121470795a77432"}}, semeion_remedy);
}

}  // namespace optotorch
