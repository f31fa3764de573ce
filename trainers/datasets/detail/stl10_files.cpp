#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/planes.h>
#include <optotorch/trainers/datasets/detail/stl10_files.h>
#include <optotorch/trainers/datasets/detail/text_numbers.h>

#include <vector>

namespace optotorch {
namespace {

constexpr auto damaged = "The file is damaged or belongs to another data set";

at::Tensor whole_file(InputFile& file) {
  at::Tensor bytes = at::empty({static_cast<int64_t>(file.size())}, at::kByte);
  const size_t came = file.read(bytes.mutable_data_ptr<uint8_t>(), file.size());
  OPTOTORCH_CHECK(came == file.size(), .where = file.name(), .argument = "length",
                  .expected = c10::str(file.size(), " bytes"), .got = c10::str(came));
  return bytes;
}

}  // namespace

at::Tensor read_stl10_images(InputFile file) {
  constexpr uint64_t image_bytes = 3 * 96 * 96;
  OPTOTORCH_CHECK(file.size() > 0 && file.size() % image_bytes == 0, .where = file.name(),
                  .argument = "length", .expected = c10::str("one or more images of ", image_bytes, " bytes"),
                  .got = c10::str(file.size(), " bytes"), .remedy = damaged);
  at::Tensor images = whole_file(file).view({-1, 3, 96, 96});
  transpose_planes(images);
  return images;
}

at::Tensor read_stl10_labels(InputFile file, int64_t classes) {
  constexpr uint64_t most = 1 << 26;
  OPTOTORCH_CHECK(file.size() > 0 && file.size() <= most, .where = file.name(), .argument = "length",
                  .expected = c10::str("1 to ", most, " labels"), .got = c10::str(file.size()),
                  .remedy = damaged);
  const at::Tensor labels = whole_file(file).to(at::kLong);
  const auto [least, greatest] = labels.aminmax();
  const auto low = least.item<int64_t>(), high = greatest.item<int64_t>();
  OPTOTORCH_CHECK(low >= 1 && high <= classes, .where = file.name(), .argument = "labels",
                  .expected = c10::str("values from 1 to ", classes), .got = c10::str(low < 1 ? low : high),
                  .remedy = damaged);
  return labels - 1;
}

at::Tensor read_stl10_fold(InputFile file, int64_t fold, int64_t count) {
  constexpr uint64_t most = 1 << 24;
  const std::string path = file.name();
  OPTOTORCH_CHECK(file.size() <= most, .where = path, .argument = "length",
                  .expected = c10::str("at most ", most, " bytes"), .got = c10::str(file.size()),
                  .remedy = damaged);
  const std::string text = file.rest();
  LineReader lines(text);
  std::string_view line;
  for (int64_t k = 0; k <= fold; ++k) {
    OPTOTORCH_CHECK(lines.next(line), .where = path, .argument = "lines",
                    .expected = c10::str("one for fold ", fold), .got = c10::str(k), .remedy = damaged);
  }
  std::vector<int64_t> indices;
  for (std::string_view word; next_word(line, word);) {
    const auto index = whole_number(word);
    OPTOTORCH_CHECK(
        index && *index >= 0 && *index < count, .where = path, .argument = c10::str("line ", fold + 1),
        .expected = c10::str("numbers from 0 to ", count - 1), .got = shown(word), .remedy = damaged);
    indices.push_back(*index);
  }
  OPTOTORCH_CHECK(!indices.empty(), .where = path, .argument = c10::str("line ", fold + 1),
                  .expected = "numbers of images", .got = "an empty line", .remedy = damaged);
  return at::tensor(indices, at::kLong);
}

}  // namespace optotorch
