#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/mat_bytes.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>

namespace optotorch {
namespace {

class PlainElement : public ByteSource {
 public:
  PlainElement(InputFile& file, uint64_t length) : file_(file), length_(length), left_(length) {}

  size_t read(uint8_t* to, size_t count) override {
    const size_t came = file_.read(to, static_cast<size_t>(std::min<uint64_t>(count, left_)));
    left_ -= came;
    return came;
  }
  uint64_t most() const override { return length_; }
  uint64_t length() const override { return length_; }

 private:
  InputFile& file_;
  uint64_t length_, left_;
};

class PackedElement : public ByteSource {
 public:
  PackedElement(InputFile& file, uint64_t length) : packed_(file, length), path_(file.name()) {
    OPTOTORCH_CHECK(inflateInit(&stream_) == Z_OK, .where = path_, .argument = "contents",
                    .expected = "enough memory to unpack the file", .got = "zlib's refusal");
  }
  PackedElement(const PackedElement&) = delete;
  PackedElement& operator=(const PackedElement&) = delete;
  ~PackedElement() override { inflateEnd(&stream_); }

  size_t read(uint8_t* to, size_t count) override {
    size_t done = 0;
    while (done < count && !ended_) {
      if (stream_.avail_in == 0) {
        stream_.next_in = buffer_.data();
        stream_.avail_in = static_cast<uInt>(packed_.read(buffer_.data(), buffer_.size()));
      }
      const bool last = stream_.avail_in == 0;
      const size_t wanted = std::min<size_t>(count - done, std::numeric_limits<uInt>::max());
      stream_.next_out = to + done;
      stream_.avail_out = static_cast<uInt>(wanted);
      const int code = inflate(&stream_, Z_NO_FLUSH);
      const size_t came = wanted - stream_.avail_out;
      done += came;
      ended_ = code == Z_STREAM_END;
      OPTOTORCH_CHECK(!last || came > 0 || ended_, .where = path_, .argument = "contents",
                      .expected = "a complete packed variable", .got = "one that is truncated",
                      .remedy = "Fetch the file again");
      OPTOTORCH_CHECK(code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR, .where = path_,
                      .argument = "contents", .expected = "a soundly packed variable",
                      .got = stream_.msg != nullptr ? stream_.msg : "corrupt data",
                      .remedy = "Fetch the file again");
    }
    if (ended_) {
      uint8_t beyond;
      OPTOTORCH_CHECK(stream_.avail_in == 0 && packed_.read(&beyond, 1) == 0, .where = path_,
                      .argument = "contents", .expected = "a packed variable and nothing behind it",
                      .got = "more", .remedy = "Fetch the file again");
    }
    return done;
  }

  // Deflate spends at least two bits on a match, and a match is at most 258 bytes long.
  uint64_t most() const override { return packed_.length() * 1032; }
  uint64_t length() const override { return packed_.length(); }

 private:
  PlainElement packed_;
  std::string path_;
  z_stream stream_ = {};
  std::array<uint8_t, 1 << 16> buffer_;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<ByteSource> plain_element(InputFile& file, uint64_t length) {
  return std::make_unique<PlainElement>(file, length);
}

std::unique_ptr<ByteSource> packed_element(InputFile& file, uint64_t length) {
  return std::make_unique<PackedElement>(file, length);
}

}  // namespace optotorch
