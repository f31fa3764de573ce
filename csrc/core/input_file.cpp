#include <fcntl.h>
#include <optotorch/core/check.h>
#include <optotorch/core/input_file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace optotorch {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& where, const std::string& got) {
  reject({.where = where,
          .argument = path,
          .expected = "a readable regular file",
          .got = got,
          .remedy = "Check the path"});
}

std::string kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

std::string reason(int error) {
  return error == ENOENT || error == ENOTDIR ? "nothing of that name" : std::strerror(error);
}

}  // namespace

InputFile::InputFile(std::string_view bytes, std::string name)
    : bytes_(bytes), size_(bytes.size()), name_(std::move(name)) {}

InputFile::InputFile(int descriptor, uint64_t size, std::string name)
    : descriptor_(descriptor), size_(size), name_(std::move(name)) {}

InputFile::InputFile(InputFile&& other) noexcept
    : bytes_(other.bytes_),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_),
      position_(other.position_),
      name_(std::move(other.name_)) {}

InputFile& InputFile::operator=(InputFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  std::swap(position_, other.position_);
  std::swap(name_, other.name_);
  return *this;
}

InputFile::~InputFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

size_t InputFile::read(void* to, size_t count) {
  count = static_cast<size_t>(std::min<uint64_t>(count, left()));
  if (descriptor_ < 0) {
    if (count > 0) {
      std::memcpy(to, bytes_.data() + position_, count);
    }
    position_ += count;
    return count;
  }
  size_t done = 0;
  while (done < count) {
    const ssize_t came =
        ::pread(descriptor_, static_cast<char*>(to) + done, count - done, static_cast<off_t>(position_));
    if (came == 0) {
      break;  // the file has been cut since it was opened
    }
    if (came < 0 && errno == EINTR) {
      continue;
    }
    OPTOTORCH_CHECK(came > 0, .where = "reading", .argument = name_, .expected = "a readable file",
                    .got = std::strerror(errno));
    done += static_cast<size_t>(came);
    position_ += static_cast<uint64_t>(came);
  }
  return done;
}

std::string InputFile::rest() {
  const uint64_t count = left();
  std::string bytes(count, '\0');
  const size_t came = read(bytes.data(), count);
  OPTOTORCH_CHECK(came == count, .where = "reading", .argument = name_,
                  .expected = c10::str("another ", count, " bytes"), .got = std::to_string(came));
  return bytes;
}

void InputFile::seek(uint64_t position) {
  position_ = std::min(position, size_);
}

InputFile open_regular_file(const std::string& path, const std::string& where) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) {
    refuse(path, where, reason(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    refuse(path, where, kind_of(status.st_mode));
  }
  // Without O_NONBLOCK a pipe that has taken the file's place meanwhile would still be waited for.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) {
    refuse(path, where, reason(errno));
  }
  InputFile file(descriptor, 0, path);
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    refuse(path, where, kind_of(status.st_mode));
  }
  file.size_ = static_cast<uint64_t>(status.st_size);
  return file;
}

}  // namespace optotorch
