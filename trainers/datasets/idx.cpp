#include <ATen/ATen.h>
#include <c10/util/safe_numerics.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/byte_source.h>
#include <optotorch/trainers/datasets/idx.h>

#include <algorithm>
#include <array>
#include <bit>
#include <utility>
#include <vector>

namespace optotorch {
namespace {

struct IdxHeader {
  at::ScalarType type;
  std::vector<int64_t> sizes;
  uint64_t header_bytes;
  uint64_t value_bytes;
};

at::ScalarType type_of(const std::string& path, int code) {
  switch (code) {
    case 0x08:
      return at::kByte;
    case 0x09:
      return at::kChar;
    case 0x0B:
      return at::kShort;
    case 0x0C:
      return at::kInt;
    case 0x0D:
      return at::kFloat;
    case 0x0E:
      return at::kDouble;
    default:
      reject({.where = path,
              .argument = "type code",
              .expected = "8, 9, 11, 12, 13 or 14",
              .got = std::to_string(code),
              .remedy = "This is no idx file"});
  }
}

void read_header_bytes(const std::string& path, ByteSource& source, uint8_t* to, size_t count) {
  const size_t came = source.read(to, count);
  OPTOTORCH_CHECK(came == count, .where = path, .argument = "header", .expected = "an idx header",
                  .got = source.length() == 0 ? "an empty file" : "a file that ends before its header does",
                  .remedy = "Fetch the file again");
}

IdxHeader read_idx_header(const std::string& path, ByteSource& source) {
  std::array<uint8_t, 4> magic;
  read_header_bytes(path, source, magic.data(), magic.size());
  OPTOTORCH_CHECK(magic[0] == 0 && magic[1] == 0, .where = path, .argument = "magic number",
                  .expected = "two zero bytes at the start of an idx file",
                  .got = c10::str(int{magic[0]}, " and ", int{magic[1]}), .remedy = "This is no idx file");
  IdxHeader header;
  header.type = type_of(path, magic[2]);
  const size_t dimensions = magic[3];
  OPTOTORCH_CHECK(dimensions >= 1 && dimensions <= 8, .where = path, .argument = "number of dimensions",
                  .expected = "1 to 8", .got = std::to_string(dimensions), .remedy = "This is no idx file");

  std::array<uint8_t, 4 * 8> bytes;
  read_header_bytes(path, source, bytes.data(), 4 * dimensions);
  bool overflow = false;
  header.value_bytes = c10::elementSize(header.type);
  for (size_t d = 0; d < dimensions; ++d) {
    const uint8_t* size = bytes.data() + 4 * d;
    header.sizes.push_back(int64_t{size[0]} << 24 | size[1] << 16 | size[2] << 8 | size[3]);
    const auto factor = static_cast<uint64_t>(header.sizes.back());
    overflow = c10::mul_overflows(header.value_bytes, factor, &header.value_bytes) || overflow;
    OPTOTORCH_CHECK(factor > 0, .where = path, .argument = c10::str("size of dimension ", d),
                    .expected = "at least 1", .got = "0: a file without values",
                    .remedy = "Fetch the file again");
  }
  header.header_bytes = magic.size() + 4 * dimensions;
  // The bytes after the header bound the values; the comparison is written so that it cannot overflow.
  const uint64_t room = source.most() - std::min(source.most(), header.header_bytes);
  OPTOTORCH_CHECK(
      !overflow && header.value_bytes <= room, .where = path, .argument = "sizes",
      .expected = c10::str("at most ", room, " bytes of values in a file of ", source.length(), " bytes"),
      .got = c10::str(type_name(header.type), " ", at::IntArrayRef(header.sizes)),
      .remedy = "The file is truncated or its header is wrong; fetch it again");
  return header;
}

at::Tensor read_values(const std::string& path, ByteSource& source, const IdxHeader& header) {
  const uint64_t promised = header.value_bytes;
  at::Tensor bytes = read_promised(source, promised, path, "after the header");
  // Reading past the end also makes gzip verify its checksum.
  uint8_t beyond;
  OPTOTORCH_CHECK(source.read(&beyond, 1) == 0, .where = path, .argument = "length",
                  .expected = c10::str(promised, " bytes after the header"), .got = "more",
                  .remedy = "The header is wrong or something was appended; fetch the file again");
  return bytes;
}

void from_big_endian(at::Tensor& bytes, size_t width) {
  if (width == 1 || std::endian::native == std::endian::big) {
    return;
  }
  uint8_t* const begin = bytes.mutable_data_ptr<uint8_t>();
  for (uint8_t* value = begin; value != begin + bytes.numel(); value += width) {
    std::reverse(value, value + width);
  }
}

}  // namespace

at::Tensor read_idx(const std::string& path) {
  return read_idx(open_regular_file(path, "read_idx"));
}

at::Tensor read_idx(InputFile file) {
  const std::string path = file.name();
  const auto source = bytes_of(std::move(file));
  const IdxHeader header = read_idx_header(path, *source);
  at::Tensor bytes = read_values(path, *source, header);
  from_big_endian(bytes, c10::elementSize(header.type));
  return bytes.view(header.type).view(header.sizes);
}

}  // namespace optotorch
