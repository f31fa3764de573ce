#include <ATen/ATen.h>
#include <c10/util/safe_numerics.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/printable.h>
#include <optotorch/trainers/datasets/detail/mat_bytes.h>
#include <optotorch/trainers/datasets/detail/mat_file.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <optional>
#include <utility>

namespace optotorch {
namespace {

/// Types of elements and classes of arrays, as the format numbers them.
enum Type : uint32_t { int8 = 1, int32 = 5, uint32 = 6, matrix = 14, compressed = 15 };
constexpr uint64_t most_elements = uint64_t{1} << 40;
constexpr uint32_t first_numeric_class = 6, last_numeric_class = 15;

template <typename T>
T little_endian(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

/// A type of stored numbers, and what becomes of them.
struct Stored {
  uint32_t type;
  at::ScalarType bits;   // as LibTorch may look at them
  at::ScalarType value;  // as which they are given out
  uint64_t width;
};

const Stored* stored(uint32_t type) {
  static constexpr std::array<Stored, 10> known = {{{1, at::kChar, at::kChar, 1},
                                                    {2, at::kByte, at::kByte, 1},
                                                    {3, at::kShort, at::kShort, 2},
                                                    {4, at::kShort, at::kInt, 2},
                                                    {5, at::kInt, at::kInt, 4},
                                                    {6, at::kInt, at::kLong, 4},
                                                    {7, at::kFloat, at::kFloat, 4},
                                                    {9, at::kDouble, at::kDouble, 8},
                                                    {12, at::kLong, at::kLong, 8},
                                                    {13, at::kLong, at::kLong, 8}}};
  const auto* found =
      std::find_if(known.begin(), known.end(), [&](const Stored& s) { return s.type == type; });
  return found == known.end() ? nullptr : found;
}

/// A tag: the type of an element and its bytes. Those of up to four bytes may stand in the tag itself.
struct Tag {
  uint32_t type;
  uint64_t bytes;
  uint64_t padding;                           // behind them, up to a multiple of eight
  std::optional<std::array<uint8_t, 4>> own;  // the bytes, if they stand in the tag
};

struct MatHeader {
  std::string name;
  std::vector<int64_t> sizes;
  uint64_t count = 1;
  bool numeric = false, complex = false;
};

/// Reads one array out of a source, of which `left` bytes belong to it.
class MatrixReader {
 public:
  MatrixReader(const std::string& path, ByteSource& source) : path_(path), source_(source) {}

  /// The tag in front of it, and all before the values.
  MatHeader header() {
    left_ = 8;
    const Tag whole = tag();
    if (whole.type != Type::matrix || whole.own) {
      refuse("an array", c10::str("an element of type ", whole.type));
    }
    if (whole.bytes > source_.most()) {
      refuse(c10::str("at most ", source_.most(), " bytes in an array"), c10::str(whole.bytes));
    }
    left_ = whole.bytes;
    const auto flags = element(Type::uint32, 8);
    if (flags.size() != 8) {
      refuse("8 bytes of flags", c10::str(flags.size()));
    }
    MatHeader header;
    const uint32_t kind = flags[0];
    constexpr uint8_t complex_flag = 8;
    header.numeric = kind >= first_numeric_class && kind <= last_numeric_class;
    header.complex = (flags[1] & complex_flag) != 0;
    constexpr uint32_t opaque = 17;  // without sizes
    if (kind == opaque) {
      return header;
    }
    read_sizes(header);
    constexpr uint64_t longest_name = 4096;
    const auto name = element(Type::int8, longest_name);
    header.name.assign(name.begin(), name.end());
    return header;
  }

  at::Tensor values(const MatHeader& header) {
    const Tag real = tag();
    const Stored* const type = stored(real.type);
    if (type == nullptr) {
      refuse("numbers", c10::str("an element of type ", real.type), header.name);
    }
    uint64_t promised = 0;
    if (c10::mul_overflows(header.count, type->width, &promised) || promised != real.bytes) {
      refuse(c10::str(at::IntArrayRef(header.sizes), " values of ", type->width, " bytes each"),
             c10::str(real.bytes, " bytes"), header.name);
    }
    at::Tensor bytes;
    if (real.own) {
      bytes = at::empty({static_cast<int64_t>(promised)}, at::kByte);
      std::copy_n(real.own->begin(), promised, bytes.mutable_data_ptr<uint8_t>());
    } else {
      take(promised);
      bytes = read_promised(source_, promised, path_, "in '" + printable(header.name) + "'");
      skip(std::min(real.padding, left_));
    }
    return in_order(converted(bytes, *type, header), header.sizes);
  }

  /// To the end of the array, and of what it was packed in.
  void finish() {
    skip(left_);
    uint8_t beyond;
    if (source_.read(&beyond, 1) != 0) {
      refuse("nothing behind an array", "more");
    }
  }

 private:
  [[noreturn]] void refuse(const std::string& expected, const std::string& got,
                           const std::string& name = "") const {
    reject({.where = path_,
            .argument = name.empty() ? "contents" : "'" + printable(name) + "'",
            .expected = expected,
            .got = got,
            .remedy = "The file is damaged or no MAT file of version 5; fetch it again"});
  }

  void take(uint64_t count) {
    if (count > left_) {
      refuse(c10::str("another ", count, " bytes of an array"), c10::str(left_));
    }
    left_ -= count;
  }

  void read(uint8_t* to, size_t count) {
    take(count);
    const size_t came = source_.read(to, count);
    if (came != count) {
      refuse(c10::str("another ", count, " bytes"), c10::str(came));
    }
  }

  void skip(uint64_t count) {
    std::array<uint8_t, 4096> nowhere;
    while (count > 0) {
      const auto piece = static_cast<size_t>(std::min<uint64_t>(count, nowhere.size()));
      read(nowhere.data(), piece);
      count -= piece;
    }
  }

  Tag tag() {
    std::array<uint8_t, 8> bytes;
    read(bytes.data(), bytes.size());
    const auto first = little_endian<uint32_t>(bytes.data());
    if (first >> 16 == 0) {
      const uint64_t length = little_endian<uint32_t>(bytes.data() + 4);
      return {first, length, (8 - length % 8) % 8, {}};
    }
    constexpr uint64_t most_in_tag = 4;
    if (first >> 16 > most_in_tag) {
      refuse("at most 4 bytes in a tag", c10::str(first >> 16));
    }
    return {first & 0xffff, first >> 16, 0, little_endian<std::array<uint8_t, 4>>(bytes.data() + 4)};
  }

  /// A small element of that type and at most that length.
  std::vector<uint8_t> element(uint32_t type, uint64_t most) {
    const Tag of = tag();
    if (of.type != type || of.bytes > most) {
      refuse(c10::str("an element of type ", type, " and at most ", most, " bytes"),
             c10::str("one of type ", of.type, " and ", of.bytes, " bytes"));
    }
    std::vector<uint8_t> bytes(of.bytes);
    if (of.own) {
      std::copy_n(of.own->begin(), of.bytes, bytes.begin());
    } else {
      read(bytes.data(), bytes.size());
      skip(of.padding);
    }
    return bytes;
  }

  void read_sizes(MatHeader& header) {
    constexpr uint64_t most_dimensions = 32;
    const auto sizes = element(Type::int32, 4 * most_dimensions);
    if (sizes.size() < 8 || sizes.size() % 4 != 0) {
      refuse("2 to 32 sizes of 4 bytes", c10::str(sizes.size(), " bytes"));
    }
    uint64_t bound = 1;  // as if no size were 0: LibTorch computes with such strides
    for (size_t i = 0; i < sizes.size(); i += 4) {
      const auto size = little_endian<int32_t>(sizes.data() + i);
      if (size < 0 || c10::mul_overflows(bound, static_cast<uint64_t>(std::max(size, 1)), &bound) ||
          bound > most_elements) {
        refuse(c10::str("sizes of an array of at most ", most_elements, " numbers"),
               size < 0 ? c10::str(size) : "more");
      }
      header.count *= static_cast<uint64_t>(size);
      header.sizes.push_back(size);
    }
  }

  at::Tensor converted(const at::Tensor& bytes, const Stored& type, const MatHeader& header) const {
    constexpr uint32_t unsigned_64 = 13;
    const at::Tensor values = bytes.view(type.bits);
    if (type.type == unsigned_64 && values.numel() > 0 && values.min().item<int64_t>() < 0) {
      refuse("numbers below 2^63", "a larger one", header.name);
    }
    if (type.bits == type.value) {
      return values;
    }
    // Unsigned numbers that LibTorch computes little with: widened, and what the sign bit meant taken off.
    return values.to(type.value).bitwise_and_(type.width == 2 ? 0xffff : int64_t{0xffffffff});
  }

  /// As a tensor of the sizes whose first dimension varies fastest.
  static at::Tensor in_order(const at::Tensor& values, std::vector<int64_t> sizes) {
    std::vector<int64_t> backwards(sizes.size());
    std::iota(backwards.rbegin(), backwards.rend(), 0);
    std::reverse(sizes.begin(), sizes.end());
    return values.view(sizes).permute(backwards);
  }

  const std::string& path_;
  ByteSource& source_;
  uint64_t left_ = 0;
};

void check_header(const std::string& path, InputFile& file) {
  std::array<uint8_t, 128> header = {};
  const size_t came = file.read(header.data(), header.size());
  const auto refuse = [&](const std::string& got) {
    reject({.where = path,
            .argument = "header",
            .expected = "a MAT file of version 5 to 7.2, little-endian",
            .got = got,
            .remedy = "Save it with MATLAB's -v7 or with scipy.io.savemat"});
  };
  constexpr std::string_view text = "MATLAB";
  if (came < header.size()) {
    refuse("a file that is shorter than its header");
  }
  if (std::memcmp(header.data() + 126, "MI", 2) == 0) {
    refuse("a big-endian one");
  }
  const auto version = little_endian<uint16_t>(header.data() + 124);
  if (std::memcmp(header.data(), text.data(), text.size()) == 0 && version == 0x0200) {
    refuse("version 7.3, which is HDF5");
  }
  if (std::memcmp(header.data() + 126, "IM", 2) != 0 || version != 0x0100) {
    refuse("something else");
  }
}

}  // namespace

std::map<std::string, at::Tensor> read_mat(InputFile file, const std::vector<std::string>& names) {
  const std::string path = file.name();
  check_header(path, file);
  const auto wanted = [&](const std::string& name) {
    return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
  };
  std::map<std::string, at::Tensor> found;
  while (file.left() > 0) {
    std::array<uint8_t, 8> tag;
    const uint64_t begin = file.size() - file.left();
    const bool whole = file.read(tag.data(), tag.size()) == tag.size();
    const auto type = little_endian<uint32_t>(tag.data());
    const uint64_t length = little_endian<uint32_t>(tag.data() + 4);
    OPTOTORCH_CHECK(
        whole && length <= file.left(), .where = path, .argument = "length",
        .expected = whole ? c10::str("another ", length, " bytes of a variable") : "a variable's tag",
        .got = whole ? c10::str(file.left()) : "the end", .remedy = "The file is truncated; fetch it again");
    OPTOTORCH_CHECK(type == Type::matrix || type == Type::compressed, .where = path, .argument = "contents",
                    .expected = "arrays", .got = c10::str("an element of type ", type),
                    .remedy = "The file is damaged; fetch it again");
    const uint64_t end = begin + tag.size() + length;
    if (type == Type::matrix) {
      file.seek(begin);
    }
    const auto source =
        type == Type::matrix ? plain_element(file, tag.size() + length) : packed_element(file, length);
    MatrixReader reader(path, *source);
    const MatHeader header = reader.header();
    if (wanted(header.name) && ((header.numeric && !header.complex) || !names.empty())) {
      const std::string argument = "'" + printable(header.name) + "'";
      OPTOTORCH_CHECK(header.numeric && !header.complex, .where = path, .argument = argument,
                      .expected = "a real array of numbers",
                      .got = header.complex ? "complex ones" : "another kind of variable");
      OPTOTORCH_CHECK(found.count(header.name) == 0, .where = path, .argument = argument,
                      .expected = "one variable of that name", .got = "two",
                      .remedy = "The file is damaged; fetch it again");
      found[header.name] = reader.values(header);
      reader.finish();
    }
    file.seek(end);
  }
  for (const auto& name : names) {
    OPTOTORCH_CHECK(found.count(name) == 1, .where = path, .argument = "'" + name + "'",
                    .expected = "a variable of that name", .got = "none",
                    .remedy = "The file belongs to another data set");
  }
  return found;
}

}  // namespace optotorch
