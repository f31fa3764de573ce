#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/detail/png.h>
#include <zlib.h>

#include <string_view>

namespace optotorch {
namespace {

/// Checksums are of bytes.
const Bytef* as_bytes(std::string_view text) {
  return reinterpret_cast<const Bytef*>(text.data());
}

std::string big_endian(uint64_t number) {
  std::string bytes;
  for (const int shift : {24, 16, 8, 0}) {
    bytes += static_cast<char>(static_cast<unsigned char>(number >> shift));
  }
  return bytes;
}

void append_png_chunk(std::string& file, const std::string& type, const std::string& data) {
  const std::string content = type + data;
  file += big_endian(data.size()) + content + big_endian(::crc32_z(0, as_bytes(content), content.size()));
}

/// Rows, each behind the number of its filter (0: none).
std::string scanlines(const at::Tensor& pixels) {
  const auto width = static_cast<size_t>(pixels.size(1) * pixels.size(2));
  const auto* row = reinterpret_cast<const char*>(pixels.const_data_ptr<uint8_t>());
  std::string rows;
  rows.reserve(static_cast<size_t>(pixels.size(0)) * (width + 1));
  for (int64_t y = 0; y < pixels.size(0); ++y, row += width) {
    rows += '\0';
    rows.append(row, width);
  }
  return rows;
}

std::string deflated(const std::string& bytes) {
  uLongf size = ::compressBound(bytes.size());
  std::string packed(size, '\0');
  const int code = ::compress(reinterpret_cast<Bytef*>(packed.data()), &size, as_bytes(bytes), bytes.size());
  OPTOTORCH_CHECK(code == Z_OK, .where = "PNG", .argument = "image", .expected = "memory to pack it",
                  .got = ::zError(code));
  packed.resize(size);
  return packed;
}

}  // namespace

std::string png_of(const at::Tensor& pixels) {
  const bool has_colour = pixels.size(2) == 3;
  std::string file = "\x89PNG\r\n\x1a\n";
  append_png_chunk(file, "IHDR",
                   big_endian(static_cast<uint64_t>(pixels.size(1))) +
                       big_endian(static_cast<uint64_t>(pixels.size(0))) +
                       std::string{8, has_colour ? '\2' : '\0', 0, 0, 0});
  append_png_chunk(file, "IDAT", deflated(scanlines(pixels)));
  append_png_chunk(file, "IEND", "");
  return file;
}

}  // namespace optotorch
