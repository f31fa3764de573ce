#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace optotorch::fuzz {

/// A folder, in memory where the system has one there, for readers that want a path.
class MemoryFolder {
 public:
  explicit MemoryFolder(const std::string& name) {
    std::error_code error;
    const auto memory = std::filesystem::is_directory("/dev/shm", error)
                            ? std::filesystem::path("/dev/shm")
                            : std::filesystem::temp_directory_path();
    path_ = (memory / ("optotorch-fuzz-" + name + "-" + std::to_string(::getpid()))).string();
    std::filesystem::create_directories(path_);
  }
  MemoryFolder(const MemoryFolder&) = delete;
  MemoryFolder& operator=(const MemoryFolder&) = delete;
  ~MemoryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

  std::string write(const std::string& name, std::string_view bytes) const {
    const std::string file = *this / name;
    std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return file;
  }

  std::string read(const std::string& name) const {
    std::ifstream file(*this / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

 private:
  std::string path_;
};

/// A safetensors file without its checksum, which no mutation would hit.
inline std::string without_checksum(std::string bytes) {
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  const std::string name = "\"crc32\":\"";
  const auto begin = bytes.find(name);
  if (begin < length + sizeof length) {
    auto end = bytes.find('"', begin + name.size()) + 1;
    end += bytes[end] == ',' ? 1 : 0;
    bytes.replace(begin, end - begin, std::string(end - begin, ' '));
  }
  return bytes;
}

}  // namespace optotorch::fuzz
