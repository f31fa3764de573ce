#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/core/npy.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace optotorch {
namespace {

static_assert(std::endian::native == std::endian::little,
              "only little-endian files are read, and data is copied as it is");

constexpr char magic[] = "\x93NUMPY";
constexpr size_t magic_size = 6, most_dimensions = 64;

[[noreturn]] void reject_file(const std::string& path, const std::string& expected, const std::string& got) {
  reject({.where = "load_npy",
          .argument = path,
          .expected = expected,
          .got = got,
          .remedy = "The file is damaged, or write it by numpy.save(path, array.astype('<f8'))"});
}

struct Header {
  std::optional<std::string> type;
  std::optional<bool> fortran_order;
  std::optional<std::vector<int64_t>> shape;
};

/// The header's text: a Python dictionary of exactly three keys, in any order.
class HeaderParser {
 public:
  HeaderParser(const std::string& path, std::string_view text) : path_(path), text_(text), rest_(text) {}

  Header parse() {
    Header header;
    expect('{');
    while (!take('}')) {
      const std::string key = printable();
      expect(':');
      if (key == "descr" && !header.type) {
        header.type = printable();
      } else if (key == "fortran_order" && !header.fortran_order) {
        header.fortran_order = boolean();
      } else if (key == "shape" && !header.shape) {
        header.shape = tuple();
      } else {
        wrong();
      }
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (!rest_.empty() || !header.type || !header.fortran_order || !header.shape) {
      wrong();
    }
    return header;
  }

 private:
  [[noreturn]] void wrong() const {
    reject_file(path_, "a header {'descr': ..., 'fortran_order': ..., 'shape': (...), }",
                c10::str("'", text_.substr(0, 200), "'"));
  }

  void skip_space() {
    const size_t used = rest_.find_first_not_of(" \n\t");
    rest_.remove_prefix(std::min(used, rest_.size()));
  }

  bool take(char c) {
    skip_space();
    const bool found = !rest_.empty() && rest_.front() == c;
    rest_.remove_prefix(found ? 1 : 0);
    return found;
  }

  void expect(char c) {
    if (!take(c)) {
      wrong();
    }
  }

  std::string printable() {
    const char quote = take('\'') ? '\'' : '"';
    if (quote == '"') {
      expect('"');
    }
    const size_t end = rest_.find(quote);
    if (end == std::string_view::npos) {
      wrong();
    }
    const std::string word(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return word;
  }

  bool boolean() {
    skip_space();
    for (const auto& [word, value] : {std::pair{"True", true}, std::pair{"False", false}}) {
      if (rest_.starts_with(word)) {
        rest_.remove_prefix(std::string_view(word).size());
        return value;
      }
    }
    wrong();
  }

  /// (), (3,), (3, 4) or (3, 4, ): in Python (3) is no tuple.
  std::vector<int64_t> tuple() {
    std::vector<int64_t> sizes;
    bool comma = true;
    expect('(');
    while (!take(')')) {
      int64_t size = -1;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), size);
      if (!comma || error != std::errc() || size < 0 || sizes.size() == most_dimensions) {
        wrong();
      }
      rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
      sizes.push_back(size);
      comma = take(',');
    }
    if (sizes.size() == 1 && !comma) {
      wrong();
    }
    return sizes;
  }

  const std::string& path_;
  std::string_view text_, rest_;
};

/// Bytes of that shape; empty if they overflow, counting a size of 0 as 1.
std::optional<uint64_t> bytes_of(const std::vector<int64_t>& shape, uint64_t bytes) {
  bool none = false;
  for (const int64_t size : shape) {
    none = none || size == 0;
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(std::max<int64_t>(size, 1)), &bytes) ||
        bytes > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return std::nullopt;
    }
  }
  return none ? 0 : bytes;
}

}  // namespace

at::Tensor load_npy(const std::string& path) {
  std::error_code error;
  const bool regular = std::filesystem::is_regular_file(path, error);
  const uint64_t file_size = regular ? std::filesystem::file_size(path, error) : 0;
  std::ifstream file(path, std::ios::binary);
  if (!regular || !file || error) {
    reject({.where = "load_npy",
            .argument = path,
            .expected = "a readable file",
            .got = "none",
            .remedy = "Check the path"});
  }
  const auto read = [&](uint64_t count) {
    std::string bytes(count, '\0');
    file.read(bytes.data(), static_cast<std::streamsize>(count));
    if (!file) {
      reject_file(path, "a whole header", c10::str("a file of ", file_size, " bytes"));
    }
    return bytes;
  };
  const std::string start = read(magic_size + 2);
  const char major = start[magic_size], minor = start[magic_size + 1];
  if (start.compare(0, magic_size, magic) != 0 || (major != 1 && major != 2) || minor != 0) {
    reject_file(path, "an .npy file of version 1.0 or 2.0", "something else");
  }
  const uint64_t length_size = major == 1 ? 2 : 4;
  uint64_t length = 0;
  for (const char byte : read(length_size)) {
    length = (length >> 8) | (static_cast<uint64_t>(static_cast<uint8_t>(byte)) << (8 * (length_size - 1)));
  }
  const uint64_t before = start.size() + length_size;
  if (length > file_size - before) {
    reject_file(path, c10::str("a header within the file's ", file_size, " bytes"),
                c10::str("a header of ", length, " bytes"));
  }
  const auto text = read(length);
  const auto header = HeaderParser(path, text).parse();
  if (*header.type != "<f8" && *header.type != "<f4") {
    reject_file(path, "'<f8' or '<f4', little-endian float64 or float32", "'" + *header.type + "'");
  }
  if (*header.fortran_order) {
    reject_file(path, "C order", "Fortran order");
  }
  const auto bytes = bytes_of(*header.shape, *header.type == "<f8" ? 8 : 4);
  if (!bytes || *bytes != file_size - before - length) {
    reject_file(path,
                c10::str(bytes ? c10::str(*bytes, " bytes") : "a file beyond any memory",
                         " of data for the shape ", at::IntArrayRef(*header.shape)),
                c10::str(file_size - before - length, " bytes"));
  }
  auto tensor = at::empty(*header.shape, *header.type == "<f8" ? at::kDouble : at::kFloat);
  file.read(static_cast<char*>(tensor.mutable_data_ptr()), static_cast<std::streamsize>(*bytes));
  if (!file) {
    reject_file(path, c10::str(*bytes, " bytes of data"), "a shorter file");
  }
  return tensor;
}

}  // namespace optotorch
