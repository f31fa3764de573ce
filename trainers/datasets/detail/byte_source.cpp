#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/byte_source.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace optotorch {
namespace {

class PlainBytes : public ByteSource {
 public:
  explicit PlainBytes(InputFile file) : file_(std::move(file)) {}

  size_t read(uint8_t* to, size_t count) override { return file_.read(to, count); }
  uint64_t most() const override { return file_.size(); }
  uint64_t length() const override { return file_.size(); }

 private:
  InputFile file_;
};

class GzipBytes : public ByteSource {
 public:
  explicit GzipBytes(InputFile packed) : packed_(std::move(packed)), path_(packed_.name()) {
    constexpr int gzip_only = 16;
    OPTOTORCH_CHECK(inflateInit2(&stream_, gzip_only + MAX_WBITS) == Z_OK, .where = path_,
                    .argument = "contents", .expected = "enough memory to unpack the file",
                    .got = "zlib's refusal");
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
  uint64_t most() const override { return packed_.size() * 1032; }
  uint64_t length() const override { return packed_.size(); }

 private:
  /// False at the end of the file, if it lies between two members, where alone it may lie. Zero bytes there
  /// are padding, as of tapes and of disks: gzip and Python's gzip pass over them, too.
  bool begin_member() {
    if (!between_members_) {
      return true;
    }
    do {
      while (!first_ && stream_.avail_in > 0 && *stream_.next_in == 0) {
        ++stream_.next_in;
        --stream_.avail_in;
      }
      if (stream_.avail_in > 0) {
        inflateReset(&stream_);
        between_members_ = first_ = false;
        return true;
      }
    } while (refill());
    return false;
  }

  bool refill() {
    stream_.next_in = buffer_.data();
    stream_.avail_in = static_cast<uInt>(packed_.read(buffer_.data(), buffer_.size()));
    return stream_.avail_in > 0;
  }

  InputFile packed_;
  std::string path_;
  z_stream stream_ = {};
  std::array<uint8_t, 1 << 16> buffer_;
  bool between_members_ = true, first_ = true;
};

}  // namespace

std::unique_ptr<ByteSource> open_bytes(const std::string& path) {
  return bytes_of(open_regular_file(path, "data"));
}

std::unique_ptr<ByteSource> bytes_of(InputFile file) {
  std::array<uint8_t, 2> magic = {};
  file.read(magic.data(), magic.size());
  file.seek(0);
  if (magic[0] == 0x1f && magic[1] == 0x8b) {
    return std::make_unique<GzipBytes>(std::move(file));
  }
  return std::make_unique<PlainBytes>(std::move(file));
}

at::Tensor read_promised(ByteSource& source, uint64_t promised, const std::string& path,
                         const std::string& where) {
  uint64_t taken = std::min(promised, std::max<uint64_t>(source.length(), 1 << 12));
  at::Tensor bytes = at::empty({static_cast<int64_t>(taken)}, at::kByte);
  uint64_t came = 0;
  while (true) {
    came += source.read(bytes.mutable_data_ptr<uint8_t>() + came, taken - came);
    OPTOTORCH_CHECK(came == taken, .where = path, .argument = "length",
                    .expected = c10::str(promised, " bytes ", where), .got = c10::str(came),
                    .remedy = "The file is truncated; fetch it again");
    if (taken == promised) {
      return bytes;
    }
    taken = std::min(promised, 2 * taken);
    bytes.resize_({static_cast<int64_t>(taken)});
  }
}

}  // namespace optotorch
