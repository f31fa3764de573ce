#include <c10/util/StringUtil.h>
#include <fcntl.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/detail/event_file.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>

namespace optotorch {
namespace {

/// What each value of a byte makes of a remainder.
constexpr std::array<uint32_t, 256> castagnoli = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < table.size(); ++byte) {
    uint32_t rest = byte;
    for (int bit = 0; bit < 8; ++bit) {
      rest = rest >> 1 ^ (rest & 1 ? 0x82F63B78 : 0);
    }
    table[byte] = rest;
  }
  return table;
}();

/// Bytes of a number, the lowest first.
template <typename Unsigned>
std::string record_number(Unsigned number) {
  std::string bytes;
  for (size_t byte = 0; byte < sizeof number; ++byte) {
    bytes += static_cast<char>(static_cast<unsigned char>(number >> 8 * byte));
  }
  return bytes;
}

/// A checksum of data that holds checksums would be of little use: TFRecord turns and shifts it.
uint32_t masked_crc32c(std::string_view bytes) {
  const uint32_t sum = crc32c(bytes);
  return (sum >> 15 | sum << 17) + 0xA282EAD8;
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "localhost";
}

/// A name that this process has not given yet; files are read in the order of their names.
std::string new_event_file_name() {
  static std::atomic<int64_t> number = 0;
  char seconds[24];
  std::snprintf(seconds, sizeof seconds, "%010lld", static_cast<long long>(std::time(nullptr)));
  return c10::str("events.out.tfevents.", seconds, '.', host_name(), '.', ::getpid(), '.', number++);
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t rest = ~uint32_t{0};
  for (const char byte : bytes) {
    rest = castagnoli[(rest ^ static_cast<unsigned char>(byte)) & 0xFF] ^ rest >> 8;
  }
  return ~rest;
}

std::string tf_record(std::string_view data) {
  std::string record = record_number(uint64_t{data.size()});
  record += record_number(masked_crc32c(record));
  record += data;
  return record + record_number(masked_crc32c(data));
}

EventFile::EventFile(const std::string& folder) : path_(folder) {
  OPTOTORCH_CHECK(!folder.empty(), .where = "writing", .argument = "folder", .expected = "its name",
                  .got = "none");
  std::error_code error, unknown;
  std::filesystem::create_directories(folder, error);
  if (!std::filesystem::is_directory(folder, unknown)) {
    fail(error ? error.value() : ENOTDIR);
  }
  do {  // a process of the same number on a host of the same name, as containers have them
    path_ = (std::filesystem::path(folder) / new_event_file_name()).string();
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && (errno == EEXIST || errno == EINTR));
  if (descriptor_ < 0) {
    fail(errno);
  }
}

EventFile::~EventFile() {
  ::close(descriptor_);
}

void EventFile::append(std::string_view data) {
  const std::string record = tf_record(data);
  for (size_t done = 0; done < record.size();) {
    const ssize_t written = ::write(descriptor_, record.data() + done, record.size() - done);
    if (written > 0) {
      done += static_cast<size_t>(written);
    } else if (written == 0 || errno != EINTR) {
      const int error = written == 0 ? ENOSPC : errno;
      // Readers would take what comes behind half a record for garbage.
      if (done > 0 && ::ftruncate(descriptor_, size_) != 0) {
        size_ += static_cast<int64_t>(done);
      }
      fail(error);
    }
  }
  size_ += static_cast<int64_t>(record.size());
}

void EventFile::flush() {
  if (::fsync(descriptor_) != 0) {
    fail(errno);
  }
}

void EventFile::fail(int error) const {
  reject({.where = "writing",
          .argument = path_,
          .expected = "a folder that may be made or written to and has room",
          .got = std::strerror(error),
          .remedy = "Free some space or choose another folder"});
}

}  // namespace optotorch
