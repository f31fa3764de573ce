#include <ATen/ATen.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/core/check.h>
#include <optotorch/core/npy.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <fstream>
#include <limits>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace optotorch {
namespace {

static_assert(std::endian::native == std::endian::little, "data is written as it lies in memory");

constexpr std::string_view magic = "\x93NUMPY";
constexpr size_t most_dimensions = 64;

/// A type as NumPy spells it behind the byte order, and the bytes of a number that byte order concerns.
struct NpyType {
  std::string_view name;
  at::ScalarType type;
  size_t number;
};
constexpr std::array<NpyType, 14> npy_types{{{"f8", at::kDouble, 8},
                                             {"f4", at::kFloat, 4},
                                             {"f2", at::kHalf, 2},
                                             {"c16", at::kComplexDouble, 8},
                                             {"c8", at::kComplexFloat, 4},
                                             {"i8", at::kLong, 8},
                                             {"i4", at::kInt, 4},
                                             {"i2", at::kShort, 2},
                                             {"i1", at::kChar, 1},
                                             {"u8", at::kUInt64, 8},
                                             {"u4", at::kUInt32, 4},
                                             {"u2", at::kUInt16, 2},
                                             {"u1", at::kByte, 1},
                                             {"b1", at::kBool, 1}}};

[[noreturn]] void reject_npy(const std::string& path, const std::string& expected, const std::string& got) {
  reject({.where = "load_npy",
          .argument = path,
          .expected = expected,
          .got = got,
          .remedy = "The file is damaged, or write it by numpy.save(path, numpy.asarray(array, '<f8'))"});
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
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !header.type) {
        header.type = quoted();
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
    reject_npy(path_, "a header {'descr': ..., 'fortran_order': ..., 'shape': (...), }",
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

  std::string quoted() {
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

/// Type and byte order of `descr`: '<' little, '>' big, '=' this machine's, '|' where it does not matter.
std::pair<NpyType, bool> type_of(const std::string& path, std::string_view descr) {
  const char order = descr.empty() ? '\0' : descr.front();
  const auto known = std::find_if(npy_types.begin(), npy_types.end(), [&](const NpyType& type) {
    return !descr.empty() && type.name == descr.substr(1) && (order != '|' || type.number == 1);
  });
  if (known == npy_types.end() || std::string_view("<>=|").find(order) == std::string_view::npos) {
    reject_npy(path, "an array of real or complex numbers or of bool, such as '<f8' or '<c16'",
               c10::str("'", descr, "'"));
  }
  return {*known, order == '>'};
}

void reverse_numbers(at::Tensor& tensor, size_t width) {
  auto* const begin = static_cast<uint8_t*>(tensor.mutable_data_ptr());
  for (auto* number = begin; number != begin + tensor.nbytes(); number += width) {
    std::reverse(number, number + width);
  }
}

/// The data of a file whose type, order and shape are known to fit its length.
at::Tensor read_values(InputFile& file, const Header& header, const NpyType& type, bool big_endian) {
  auto shape = *header.shape;
  if (*header.fortran_order) {
    std::reverse(shape.begin(), shape.end());
  }
  // A bool is read as the byte it is: one that is neither 0 nor 1 must never be looked at as a bool.
  auto tensor = at::empty(shape, type.type == at::kBool ? at::kByte : type.type);
  if (file.read(tensor.mutable_data_ptr(), tensor.nbytes()) != tensor.nbytes()) {
    reject_npy(file.name(), c10::str(tensor.nbytes(), " bytes of data"), "a shorter file");
  }
  if (big_endian) {
    reverse_numbers(tensor, type.number);
  }
  if (type.type == at::kBool) {
    tensor = tensor.ne(0);
  }
  if (*header.fortran_order) {
    std::vector<int64_t> backwards(shape.size());
    std::iota(backwards.rbegin(), backwards.rend(), int64_t{0});
    tensor = tensor.permute(backwards).contiguous();
  }
  return tensor;
}

/// The dictionary as Python prints it.
std::string dictionary(const at::Tensor& tensor, std::string_view type) {
  std::string shape;
  for (const int64_t size : tensor.sizes()) {
    shape += (shape.empty() ? "" : ", ") + std::to_string(size);
  }
  return c10::str("{'descr': '<", type, "', 'fortran_order': False, 'shape': (", shape,
                  tensor.dim() == 1 ? ",), }" : "), }");
}

}  // namespace

at::Tensor read_npy(InputFile file) {
  const auto read = [&](uint64_t count) {
    std::string bytes(count, '\0');
    if (file.read(bytes.data(), count) != count) {
      reject_npy(file.name(), "a whole header", c10::str("a file of ", file.size(), " bytes"));
    }
    return bytes;
  };
  const std::string start = read(magic.size() + 2);
  const char major = start[magic.size()], minor = start[magic.size() + 1];
  if (!start.starts_with(magic) || major < 1 || major > 3 || minor != 0) {
    reject_npy(file.name(), "an .npy file of version 1.0, 2.0 or 3.0", "something else");
  }
  const uint64_t length_size = major == 1 ? 2 : 4;
  uint64_t length = 0;
  for (const char byte : read(length_size)) {
    length = (length >> 8) | (static_cast<uint64_t>(static_cast<uint8_t>(byte)) << (8 * (length_size - 1)));
  }
  if (length > file.left()) {
    reject_npy(file.name(), c10::str("a header within the file's ", file.size(), " bytes"),
               c10::str("a header of ", length, " bytes"));
  }
  const auto text = read(length);
  const auto header = HeaderParser(file.name(), text).parse();
  const auto [type, big_endian] = type_of(file.name(), *header.type);
  const auto bytes = bytes_of(*header.shape, c10::elementSize(type.type));
  if (!bytes || *bytes != file.left()) {
    reject_npy(file.name(),
               c10::str(bytes ? c10::str(*bytes, " bytes") : "a file beyond any memory",
                        " of data for the shape ", at::IntArrayRef(*header.shape)),
               c10::str(file.left(), " bytes"));
  }
  return read_values(file, header, type, big_endian);
}

at::Tensor load_npy(const std::string& path) {
  return read_npy(open_regular_file(path, "load_npy"));
}

void save_npy(const std::string& path, const at::Tensor& tensor) {
  const auto known = std::find_if(npy_types.begin(), npy_types.end(), [&](const NpyType& type) {
    return tensor.defined() && type.type == tensor.scalar_type();
  });
  OPTOTORCH_CHECK(known != npy_types.end() && known->number >= 4 &&
                      (tensor.is_floating_point() || tensor.is_complex()) && !tensor.is_meta(),
                  .where = "save_npy", .argument = path,
                  .expected = "a tensor of float32, float64, complex64 or complex128",
                  .got = describe(tensor), .remedy = "Convert it by to(torch::kFloat64)");
  const auto data = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous();
  std::string header = dictionary(data, known->name);
  // numpy.save leaves room for the first size to grow to 21 digits, and begins the data at a multiple of 64.
  if (data.dim() > 0) {
    header.append(21 - std::to_string(data.size(0)).size(), ' ');
  }
  constexpr size_t alignment = 64, before = magic.size() + 4;
  header.append(alignment - (before + header.size() + 1) % alignment, ' ');
  header += '\n';
  write_atomically(path, [&](const std::string& temporary) {
    std::ofstream file;
    file.exceptions(std::ios::failbit | std::ios::badbit);
    file.open(temporary, std::ios::binary);
    file << magic << '\1' << '\0' << static_cast<char>(header.size() & 0xFF)
         << static_cast<char>(header.size() >> 8) << header;
    file.write(static_cast<const char*>(data.const_data_ptr()), static_cast<std::streamsize>(data.nbytes()));
    file.close();
  });
}

}  // namespace optotorch
