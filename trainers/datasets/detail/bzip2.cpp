#include <bzlib.h>
#include <c10/util/StringUtil.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/bzip2.h>

#include <algorithm>
#include <array>

namespace optotorch {
namespace {

/// One stream of libbz2.
class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { end(); }

  bool begin() {
    end();
    bz_stream fresh = {};
    fresh.next_in = stream_.next_in;
    fresh.avail_in = stream_.avail_in;
    stream_ = fresh;
    running_ = BZ2_bzDecompressInit(&stream_, 0, 0) == BZ_OK;
    return running_;
  }
  void end() {
    if (running_) {
      BZ2_bzDecompressEnd(&stream_);
    }
    running_ = false;
  }
  bool running() const { return running_; }
  bz_stream& operator*() { return stream_; }

 private:
  bz_stream stream_ = {};
  bool running_ = false;
};

}  // namespace

std::string unpack_bzip2(InputFile file, uint64_t most) {
  const std::string path = file.name();
  const auto refuse = [&](const std::string& expected, const std::string& got) {
    reject({.where = path,
            .argument = "contents",
            .expected = expected,
            .got = got,
            .remedy = "Fetch the file again"});
  };
  Stream stream;
  std::array<char, 1 << 16> packed, unpacked;
  std::string all;
  bool any = false;
  while (true) {
    if ((*stream).avail_in == 0) {
      (*stream).next_in = packed.data();
      (*stream).avail_in = static_cast<unsigned>(file.read(packed.data(), packed.size()));
    }
    const bool last = (*stream).avail_in == 0;
    if (!stream.running()) {
      if (last) {
        break;  // between two streams, where alone a file may end
      }
      if (!stream.begin()) {
        refuse("enough memory to unpack the file", "libbz2's refusal");
      }
    }
    (*stream).next_out = unpacked.data();
    (*stream).avail_out = unpacked.size();
    const int code = BZ2_bzDecompress(&*stream);
    const size_t came = unpacked.size() - (*stream).avail_out;
    if (code != BZ_OK && code != BZ_STREAM_END) {
      refuse(any ? "nothing but bzip2 streams" : "a sound bzip2 file", "corrupt data");
    }
    if (came > most - all.size()) {
      refuse(c10::str("at most ", most, " bytes, unpacked"), "more");
    }
    all.append(unpacked.data(), came);
    if (code == BZ_STREAM_END) {
      stream.end();
      any = true;
    } else if (last && came == 0) {
      refuse("a complete bzip2 file", "one that is truncated");
    }
  }
  if (!any) {
    refuse("a bzip2 file", "an empty one");
  }
  return all;
}

}  // namespace optotorch
