#include "runs/folder_lock.h"

#include <fcntl.h>
#include <optotorch/core/check.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

namespace optotorch::tools {
namespace {

namespace fs = std::filesystem;

constexpr auto lock_name = "/.lock";
constexpr auto lock_tick = std::chrono::milliseconds(50);

[[noreturn]] void reject_folder(const std::string& folder, int error) {
  reject({.where = "optotorch",
          .argument = "--out",
          .expected = "a folder that can be made and written to",
          .got = "'" + folder + "': " + std::strerror(error),
          .remedy = "Choose another place"});
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// True if it is a part of one of `files`, as write_atomically leaves it when it is killed:
/// "config.json.part123".
bool is_part_of(const std::vector<std::string>& files, const std::string& name) {
  const auto digits = name.find_last_not_of("0123456789") + 1;
  const std::string mark = ".part", front = name.substr(0, digits);
  return digits < name.size() && front.ends_with(mark) &&
         contains(files, front.substr(0, front.size() - mark.size()));
}

}  // namespace

FolderLock::FolderLock(std::string folder, const std::string& other, double patience)
    : folder_(std::move(folder)) {
  OPTOTORCH_CHECK(!folder_.empty(), .where = "optotorch", .argument = "--out", .expected = "a folder",
                  .got = "an empty name", .remedy = "Give --out DIR");
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(patience);
  try {
    while (!try_lock()) {
      OPTOTORCH_CHECK(std::chrono::steady_clock::now() < end, .where = "optotorch", .argument = "--out",
                      .expected = "a folder in which nothing is at work",
                      .got = folder_ + ", in which " + other + " is running", .remedy = "Wait for its end");
      std::this_thread::sleep_for(lock_tick);
    }
  } catch (...) {
    remove_made();
    throw;
  }
}

FolderLock::~FolderLock() {
  ::unlink((folder_ + lock_name).c_str());  // while it is held: whoever waits for this file looks again
  ::close(file_);
  remove_made();
}

void FolderLock::remove_made() {
  for (; !made_.empty() && ::rmdir(made_.back().c_str()) == 0; made_.pop_back()) {
  }
}

void FolderLock::make_folder() {
  fs::path path;
  for (const auto& part : fs::path(folder_)) {
    path /= part;
    if (path.filename().empty()) {  // behind a slash at the end
      continue;
    }
    if (::mkdir(path.c_str(), 0777) == 0) {
      made_.push_back(path);
      continue;
    }
    const int error = errno;
    std::error_code ignored;
    if (!fs::is_directory(path, ignored)) {
      reject_folder(folder_, error == EEXIST ? ENOTDIR : error);
    }
  }
}

bool FolderLock::try_lock() {
  const std::string path = folder_ + lock_name;
  for (;;) {
    make_folder();
    file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (file_ < 0 && errno == ENOENT) {  // the one before has just taken its folder away
      continue;
    }
    if (file_ < 0) {
      reject_folder(folder_, errno);
    }
    if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      ::close(file_);
      if (error != EWOULDBLOCK && error != EINTR) {
        reject_folder(folder_, error);
      }
      return false;
    }
    struct stat held {};
    struct stat named {};
    if (::fstat(file_, &held) == 0 && ::stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
        held.st_dev == named.st_dev) {
      return true;
    }
    ::close(file_);  // the one before has removed it since
  }
}

bool FolderLock::is_empty_but_for(const std::vector<std::string>& names,
                                  const std::vector<std::string>& parts_of) const {
  std::error_code error;
  const fs::directory_iterator entries(folder_, error);
  return !error && std::all_of(begin(entries), end(entries), [&](const fs::directory_entry& entry) {
    const std::string name = entry.path().filename();
    return "/" + name == lock_name || contains(names, name) || is_part_of(parts_of, name);
  });
}

void FolderLock::remove_parts(const std::vector<std::string>& names) const {
  std::error_code error;
  std::vector<fs::path> parts;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    if (is_part_of(names, entry.path().filename())) {
      parts.push_back(entry.path());
    }
  }
  for (const auto& part : parts) {
    fs::remove(part, error);
  }
}

}  // namespace optotorch::tools
