#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/byte_source.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <limits>
#include <utility>

namespace optotorch {
namespace {

class PlainBytes : public ByteSource {
 public:
  PlainBytes(std::string path, std::ifstream file, uint64_t length)
      : path_(std::move(path)), file_(std::move(file)), length_(length) {}

  size_t read(uint8_t* to, size_t count) override {
    file_.read(reinterpret_cast<char*>(to), static_cast<std::streamsize>(count));
    OPTOTORCH_CHECK(!file_.bad(), .where = path_, .argument = "contents", .expected = "a readable file",
                    .got = "an input error", .remedy = "");
    return static_cast<size_t>(file_.gcount());
  }

  uint64_t most() const override { return length_; }
  uint64_t length() const override { return length_; }

 private:
  std::string path_;
  std::ifstream file_;
  uint64_t length_;
};

class GzipBytes : public ByteSource {
 public:
  explicit GzipBytes(PlainBytes packed, std::string path)
      : packed_(std::move(packed)), path_(std::move(path)) {
    constexpr int gzip_only = 16;
    OPTOTORCH_CHECK(inflateInit2(&stream_, gzip_only + MAX_WBITS) == Z_OK, .where = path_,
                    .argument = "contents", .expected = "enough memory to unpack the file",
                    .got = "zlib's refusal", .remedy = "");
  }
  GzipBytes(const GzipBytes&) = delete;
  GzipBytes& operator=(const GzipBytes&) = delete;
  ~GzipBytes() override { inflateEnd(&stream_); }

  size_t read(uint8_t* to, size_t count) override {
    size_t done = 0;
    while (done < count && begin_member()) {
      const size_t wanted = std::min<size_t>(count - done, std::numeric_limits<uInt>::max());
      stream_.next_out = to + done;
      stream_.avail_out = static_cast<uInt>(wanted);
      const int code = inflate(&stream_, Z_NO_FLUSH);
      done += wanted - stream_.avail_out;
      between_members_ = code == Z_STREAM_END;
      if (code == Z_BUF_ERROR || (code == Z_OK && stream_.avail_out > 0)) {
        OPTOTORCH_CHECK(refill(), .where = path_, .argument = "contents", .expected = "a complete gzip file",
                        .got = "one that is truncated", .remedy = "Fetch the file again");
      } else {
        OPTOTORCH_CHECK(code == Z_OK || code == Z_STREAM_END, .where = path_, .argument = "contents",
                        .expected = "a sound gzip file",
                        .got = stream_.msg != nullptr ? stream_.msg : "corrupt data",
                        .remedy = "Fetch the file again");
      }
    }
    return done;
  }

  // Deflate spends at least two bits on a match, and a match is at most 258 bytes long.
  uint64_t most() const override { return packed_.length() * 1032; }
  uint64_t length() const override { return packed_.length(); }

 private:
  /// False at the end of the file, if it lies between two members, where alone it may lie.
  bool begin_member() {
    if (!between_members_) {
      return true;
    }
    if (stream_.avail_in == 0 && !refill()) {
      return false;
    }
    inflateReset(&stream_);
    between_members_ = false;
    return true;
  }

  bool refill() {
    stream_.next_in = buffer_.data();
    stream_.avail_in = static_cast<uInt>(packed_.read(buffer_.data(), buffer_.size()));
    return stream_.avail_in > 0;
  }

  PlainBytes packed_;
  std::string path_;
  z_stream stream_ = {};
  std::array<uint8_t, 1 << 16> buffer_;
  bool between_members_ = true;
};

}  // namespace

std::unique_ptr<ByteSource> open_bytes(const std::string& path) {
  std::error_code error;
  const bool regular = std::filesystem::is_regular_file(path, error);
  const uint64_t length = regular ? std::filesystem::file_size(path, error) : 0;
  std::ifstream file(path, std::ios::binary);
  OPTOTORCH_CHECK(regular && !error && file.is_open(), .where = path, .argument = "file",
                  .expected = "a regular file that may be read",
                  .got = std::filesystem::exists(path, error) ? "one that is not" : "nothing of that name",
                  .remedy = "");
  const bool packed = file.get() == 0x1f && file.get() == 0x8b;
  file.clear();
  file.seekg(0);
  PlainBytes plain(path, std::move(file), length);
  if (packed) {
    return std::make_unique<GzipBytes>(std::move(plain), path);
  }
  return std::make_unique<PlainBytes>(std::move(plain));
}

}  // namespace optotorch
