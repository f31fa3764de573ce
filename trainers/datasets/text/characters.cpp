#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/byte_source.h>
#include <optotorch/trainers/datasets/text/characters.h>
#include <optotorch/trainers/datasets/text/utf8.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>
#include <vector>

namespace optotorch {
namespace {

/// "U+000A", or "U+00E9 'é'" if it can be shown.
std::string shown(char32_t code_point) {
  char number[16];
  std::snprintf(number, sizeof number, "U+%04X", static_cast<unsigned>(code_point));
  std::string text = number;
  if (code_point > 0x20 && !(code_point >= 0x7F && code_point <= 0xA0)) {
    text += " '";
    append_code_point(text, code_point);
    text += "'";
  }
  return text;
}

std::string read_text(const std::string& path, InputFile file, uint64_t most_bytes) {
  const auto source = bytes_of(std::move(file));
  const auto check_length = [&](bool fits, const std::string& got) {
    OPTOTORCH_CHECK(fits, .where = path, .argument = "length",
                    .expected = c10::str("at most ", most_bytes, " bytes of text"), .got = got,
                    .remedy = "Cut the text");
  };
  check_length(source->length() <= most_bytes, std::to_string(source->length()));
  // One byte more than there may be: the read that comes short is the last one.
  std::string text;
  uint64_t came = 0;
  for (uint64_t taken = std::min(source->length(), most_bytes) + 1;;
       taken = std::min(2 * taken, most_bytes + 1)) {
    text.resize(taken);
    came += source->read(reinterpret_cast<uint8_t*>(text.data()) + came, taken - came);
    if (came < taken) {
      text.resize(came);
      return text;
    }
    check_length(taken <= most_bytes, "more");
  }
}

/// True if that begins as UTF-16 does: with its byte order mark, or with letters of which every other byte is
/// zero.
bool looks_like_utf16(std::string_view text) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    return true;
  }
  constexpr size_t looked_at = 512;
  const auto head = text.substr(0, std::min(text.size(), looked_at) / 2 * 2);
  std::array<size_t, 2> zeros = {};
  for (size_t i = 0; i < head.size(); ++i) {
    zeros[i % 2] += head[i] == '\0' ? 1 : 0;
  }
  const auto [few, many] = std::minmax(zeros[0], zeros[1]);
  return few == 0 && 4 * many > head.size();
}

void make_portable(std::string& text, const std::string& path) {
  OPTOTORCH_CHECK(!looks_like_utf16(text), .where = path, .argument = "text", .expected = "UTF-8",
                  .got = "UTF-16", .remedy = "Convert it: iconv -f UTF-16 -t UTF-8 OLD > NEW");
  for (size_t position = 0; position < text.size();) {
    read_code_point(text, position, path, "text");  // a complaint counts the bytes of the file
  }
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  size_t from = text.starts_with(mark) ? mark.size() : 0, to = 0;
  for (; from < text.size(); ++from) {
    const bool ends_line = text[from] == '\r';
    from += ends_line && from + 1 < text.size() && text[from + 1] == '\n' ? 1 : 0;
    text[to++] = ends_line ? '\n' : text[from];
  }
  text.resize(to);
}

}  // namespace

Characters::Characters(std::string name, std::string_view text) : name_(std::move(name)) {
  OPTOTORCH_CHECK(!text.empty() && text.size() <= most_bytes, .where = name_, .argument = "text",
                  .expected = c10::str("1 to ", most_bytes, " bytes"),
                  .got = text.empty() ? std::string("an empty text") : std::to_string(text.size()));
  constexpr char32_t code_points = 0x110000;
  constexpr int32_t absent = -1;
  std::vector<int32_t> number(code_points, absent);
  int64_t count = 0;
  for (size_t position = 0; position < text.size(); ++count) {
    number[read_code_point(text, position, name_, "text")] = 0;
  }
  std::u32string vocabulary;
  for (char32_t c = 0; c < code_points; ++c) {
    if (number[c] != absent) {
      number[c] = static_cast<int32_t>(vocabulary.size());
      vocabulary.push_back(c);
    }
  }
  vocabulary_ = std::make_shared<const std::u32string>(std::move(vocabulary));
  ids_ = at::empty({count}, at::kLong);
  int64_t* id = ids_.mutable_data_ptr<int64_t>();
  for (size_t position = 0; position < text.size(); ++id) {
    *id = number[read_code_point(text, position, name_, "text")];
  }
}

at::Tensor Characters::encode(std::string_view text, const std::string& argument) const {
  std::vector<int64_t> ids;
  for (size_t position = 0; position < text.size();) {
    const size_t first = position;
    const char32_t c = read_code_point(text, position, name_, argument);
    const auto found = std::lower_bound(vocabulary_->begin(), vocabulary_->end(), c);
    OPTOTORCH_CHECK(found != vocabulary_->end() && *found == c, .where = name_, .argument = argument,
                    .expected = c10::str("the ", vocabulary_size(), " characters of its vocabulary"),
                    .got = c10::str(shown(c), " at byte ", first), .remedy = "Leave it out or replace it");
    ids.push_back(found - vocabulary_->begin());
  }
  return at::tensor(ids, at::kLong);
}

std::string Characters::decode(const at::Tensor& ids) const {
  OPTOTORCH_CHECK(ids.defined() && ids.scalar_type() == at::kLong && ids.dim() == 1 && ids.is_cpu(),
                  .where = name_, .argument = "ids", .expected = "int64 [M] on the CPU",
                  .got = describe(ids));
  const at::Tensor dense = ids.contiguous();
  const int64_t* const id = dense.const_data_ptr<int64_t>();
  std::string text;
  for (int64_t i = 0; i < dense.numel(); ++i) {
    OPTOTORCH_CHECK(id[i] >= 0 && id[i] < vocabulary_size(), .where = name_, .argument = "ids",
                    .expected = c10::str("values from 0 to ", vocabulary_size() - 1),
                    .got = std::to_string(id[i]));
    append_code_point(text, (*vocabulary_)[static_cast<size_t>(id[i])]);
  }
  return text;
}

Characters Characters::stretch(int64_t first, int64_t count) const {
  OPTOTORCH_CHECK(first >= 0 && count >= 1 && first < this->count() && count <= this->count() - first,
                  .where = name_, .argument = "stretch",
                  .expected = c10::str("one or more of the characters 0 to ", this->count() - 1),
                  .got = c10::str(count, " from ", first, " on"));
  Characters part = *this;
  part.ids_ = ids_.narrow(0, first, count);
  return part;
}

Characters Characters::part(Mode mode) const {
  const int64_t train = count() * 9 / 10;
  return mode == Mode::train ? stretch(0, train) : stretch(train, count() - train);
}

Characters read_characters(const std::string& path, uint64_t most_bytes, TextForm form) {
  return read_characters(open_regular_file(path, "data"), most_bytes, form);
}

Characters read_characters(InputFile file, uint64_t most_bytes, TextForm form) {
  const std::string path = file.name();
  auto text = read_text(path, std::move(file), std::min(most_bytes, Characters::most_bytes));
  if (form == TextForm::portable) {
    make_portable(text, path);
  }
  return {path, text};
}

}  // namespace optotorch
