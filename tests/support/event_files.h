#pragma once

// TensorBoard's event files, read back byte by byte.

#include <gtest/gtest.h>
#include <optotorch/trainers/detail/event_file.h>
#include <support/temporary_folder.h>

#include <bit>
#include <filesystem>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace optotorch::testing {

inline uint64_t little_number(std::string_view bytes) {
  uint64_t number = 0;
  for (size_t i = bytes.size(); i-- > 0;) {
    number = number << 8 | static_cast<uint8_t>(bytes[i]);
  }
  return number;
}

/// A message of protocol buffers: the values of every field, numbers as they lie there.
class ReadMessage {
 public:
  explicit ReadMessage(std::string_view text) {
    while (!text.empty()) {
      const uint64_t key = varint(text);
      const auto field = static_cast<int>(key >> 3);
      if ((key & 7) == 0) {
        integers_[field] = static_cast<int64_t>(varint(text));
        continue;
      }
      const size_t length = (key & 7) == 2 ? varint(text) : (key & 7) == 1 ? 8 : 4;
      texts_[field].emplace_back(text.substr(0, length));
      text.remove_prefix(length);
    }
  }

  bool has(int field) const { return integers_.contains(field) || texts_.contains(field); }
  int64_t integer(int field) const { return integers_.at(field); }
  const std::string& text(int field, size_t index = 0) const { return texts_.at(field).at(index); }
  size_t count(int field) const { return texts_.at(field).size(); }
  ReadMessage message(int field, size_t index = 0) const { return ReadMessage(text(field, index)); }
  float float32(int field) const {
    return std::bit_cast<float>(static_cast<uint32_t>(little_number(text(field))));
  }
  double float64(int field) const { return std::bit_cast<double>(little_number(text(field))); }
  std::vector<double> float64s(int field) const {
    std::vector<double> numbers;
    for (size_t at = 0; at < text(field).size(); at += 8) {
      numbers.push_back(std::bit_cast<double>(little_number(text(field).substr(at, 8))));
    }
    return numbers;
  }

 private:
  static uint64_t varint(std::string_view& text) {
    uint64_t number = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<uint8_t>(text.at(0));
      text.remove_prefix(1);
      number |= uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) {
        return number;
      }
    }
  }

  std::map<int, int64_t> integers_;
  std::map<int, std::vector<std::string>> texts_;
};

/// The only file of a folder.
inline std::string event_path(const std::string& folder) {
  const std::filesystem::directory_iterator files(folder);
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
  return std::filesystem::directory_iterator(folder)->path().string();
}

/// Data of whole records; a failure for whatever else there is.
inline std::vector<std::string> records_of(const std::string& bytes) {
  std::vector<std::string> records;
  for (std::string_view rest = bytes; !rest.empty();) {
    const uint64_t length = rest.size() < 16 ? rest.size() : little_number(rest.substr(0, 8));
    if (length > rest.size() - 16) {
      ADD_FAILURE() << "half a record";
      break;
    }
    records.emplace_back(rest.substr(12, length));
    EXPECT_EQ(rest.substr(0, length + 16), tf_record(records.back()));
    rest.remove_prefix(length + 16);
  }
  return records;
}

}  // namespace optotorch::testing
