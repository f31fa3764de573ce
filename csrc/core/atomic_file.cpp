#include <fcntl.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/core/check.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace optotorch {
namespace {

/// Flushes a file or folder to disk; false with errno if it can't be opened or flushed.
bool flush(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return false;
  }
  const bool flushed = ::fsync(descriptor) == 0;
  ::close(descriptor);
  return flushed;
}

[[noreturn]] void fail(const std::string& path, const std::string& why) {
  reject({.where = "writing",
          .argument = path,
          .expected = "a folder that exists, may be written to and has room",
          .got = why,
          .remedy = "Free some space or choose another folder"});
}

}  // namespace

void write_atomically(const std::string& asked,
                      const std::function<void(const std::string& temporary)>& write) {
  std::error_code unresolved;
  const bool is_link = std::filesystem::is_symlink(asked, unresolved);
  const std::string path = is_link ? std::filesystem::weakly_canonical(asked, unresolved).string() : asked;
  const std::string temporary = path + ".part" + std::to_string(::getpid());
  std::error_code ignored;
  const auto folder = std::filesystem::path(path).parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder, ignored)) {
    fail(path, "no folder " + folder.string());
  }
  // A rename would put a file in the place of a device or a pipe.
  if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored)) {
    reject({.where = "writing",
            .argument = path,
            .expected = "a new file or one that may be replaced",
            .got = std::filesystem::is_directory(path, ignored) ? "a folder" : "a device, a pipe or a socket",
            .remedy = "Choose another name"});
  }
  errno = 0;
  try {
    write(temporary);
  } catch (const c10::Error&) {
    std::filesystem::remove(temporary, ignored);
    throw;
  } catch (const std::exception& error) {
    const std::string why = errno != 0 ? std::strerror(errno) : error.what();
    std::filesystem::remove(temporary, ignored);
    fail(path, why);
  }
  if (!flush(temporary)) {
    const std::string why = std::strerror(errno);
    std::filesystem::remove(temporary, ignored);
    fail(path, why);
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) {
    const std::string why = std::strerror(errno);
    std::filesystem::remove(temporary, ignored);
    fail(path, why);
  }
  flush(folder.empty() ? "." : folder.string());  // the rename itself; some file systems can't, and need not
}

void write_text_atomically(const std::string& path, const std::string& text) {
  write_atomically(path, [&](const std::string& temporary) {
    std::ofstream file(temporary, std::ios::binary);
    file << text;
    file.close();
    if (!file) {
      fail(path, std::strerror(errno));
    }
  });
}

}  // namespace optotorch
