#include <optotorch/core/check.h>
#include <optotorch/modules/export/detail/zip_records.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace optotorch {
namespace {

constexpr std::string_view file_mark("PK\1\2", 4), local_mark("PK\3\4", 4), end_mark("PK\5\6", 4),
    end64_mark("PK\6\6", 4), locator64_mark("PK\6\7", 4);
constexpr uint64_t end_size = 22, locator64_size = 20, end64_size = 56, file_size = 46, local_size = 30;
constexpr uint64_t in_extension = 0xFFFFFFFF;  // the value stands in the 64-bit extension
constexpr uint64_t most_records = 1 << 20, longest_directory = 1 << 28;

/// `count` bytes of `text` at `position`, little-endian.
uint64_t number(std::string_view text, size_t position, size_t count) {
  uint64_t value = 0;
  for (size_t byte = count; byte-- > 0;) {
    value = value << 8 | static_cast<uint8_t>(text[position + byte]);
  }
  return value;
}

/// Takes the values that did not fit from the extra field, where they stand one after another.
/// False if they are not there.
bool extend(std::string_view extra, const std::vector<uint64_t*>& values) {
  constexpr uint64_t extension = 1;
  while (extra.size() >= 4) {
    const uint64_t kind = number(extra, 0, 2), length = number(extra, 2, 2);
    if (length > extra.size() - 4) {
      return false;
    }
    if (kind == extension) {
      auto rest = extra.substr(4, length);
      for (uint64_t* value : values) {
        if (rest.size() < 8) {
          return false;
        }
        *value = number(rest, 0, 8);
        rest.remove_prefix(8);
      }
      return true;
    }
    extra.remove_prefix(4 + length);
  }
  return values.empty();
}

}  // namespace

ZipRecords::ZipRecords(InputFile file, std::string where) : file_(std::move(file)), where_(std::move(where)) {
  read_directory();
}

void ZipRecords::refuse(const std::string& expected, const std::string& got) const {
  reject({.where = where_,
          .argument = file_.name(),
          .expected = expected,
          .got = got,
          .remedy = "The file is damaged or is no TorchScript file"});
}

std::string ZipRecords::bytes_at(uint64_t position, uint64_t count) {
  if (position > file_.size() || count > file_.size() - position) {
    refuse(c10::str("another ", count, " bytes at byte ", position),
           c10::str("a file of ", file_.size(), " bytes"));
  }
  std::string bytes(count, '\0');
  file_.seek(position);
  if (file_.read(bytes.data(), count) != count) {
    refuse(c10::str("a file of ", file_.size(), " bytes"), "a shorter one");
  }
  return bytes;
}

void ZipRecords::read_directory() {
  // The end of the directory is the file's end, but for a comment.
  const uint64_t tail_size = std::min<uint64_t>(file_.size(), end_size + 0xFFFF);
  const std::string tail = bytes_at(file_.size() - tail_size, tail_size);
  size_t end = tail.rfind(end_mark);
  while (end != std::string::npos &&
         (tail.size() - end < end_size || number(tail, end + 20, 2) != tail.size() - end - end_size)) {
    end = end == 0 ? std::string::npos : tail.rfind(end_mark, end - 1);
  }
  if (end == std::string::npos) {
    refuse("an archive", "a file without an archive's directory");
  }
  uint64_t count = number(tail, end + 10, 2), length = number(tail, end + 12, 4);
  directory_ = number(tail, end + 16, 4);
  const uint64_t end_position = file_.size() - tail_size + end;
  if (end_position >= locator64_size) {
    const std::string locator = bytes_at(end_position - locator64_size, locator64_size);
    if (locator.starts_with(locator64_mark)) {
      const std::string end64 = bytes_at(number(locator, 8, 8), end64_size);
      if (!end64.starts_with(end64_mark)) {
        refuse("the end of a directory at the byte that the archive names", "something else");
      }
      count = number(end64, 32, 8);
      length = number(end64, 40, 8);
      directory_ = number(end64, 48, 8);
    }
  }
  if (count == 0 || count > most_records || length < count * file_size || length > longest_directory) {
    refuse(c10::str("a directory of 1 to ", most_records, " records, ", longest_directory, " bytes"),
           c10::str(count, " records in ", length, " bytes"));
  }
  const std::string directory = bytes_at(directory_, length);
  std::string_view rest = directory;
  for (uint64_t index = 0; index < count; ++index) {
    if (rest.size() < file_size || !rest.starts_with(file_mark)) {
      refuse(c10::str(count, " records in the directory"), c10::str(index));
    }
    const uint64_t name_size = number(rest, 28, 2), extra_size = number(rest, 30, 2),
                   comment_size = number(rest, 32, 2);
    if (name_size + extra_size + comment_size > rest.size() - file_size) {
      refuse("a whole directory", c10::str("one that ends within record ", index));
    }
    uint64_t packed = number(rest, 20, 4);
    Record record{.header = number(rest, 42, 4), .size = number(rest, 24, 4), .stored = false};
    std::vector<uint64_t*> extended;
    for (uint64_t* value : {&record.size, &packed, &record.header}) {
      if (*value == in_extension) {
        extended.push_back(value);
      }
    }
    const std::string name(rest.substr(file_size, name_size));
    if (!extend(rest.substr(file_size + name_size, extra_size), extended)) {
      refuse("the sizes of '" + name + "'", "none");
    }
    constexpr uint64_t encrypted = 1;
    record.stored = number(rest, 10, 2) == 0 && (number(rest, 8, 2) & encrypted) == 0;
    if (record.stored && packed != record.size) {
      refuse("'" + name + "' stored as it is", c10::str(record.size, " bytes in ", packed));
    }
    if (index == 0) {
      folder_ = name.substr(0, name.find('/') + 1);
    }
    if (!records_.emplace(name, record).second) {
      refuse("every record once", "'" + name + "' twice");
    }
    rest.remove_prefix(file_size + name_size + extra_size + comment_size);
  }
}

const ZipRecords::Record& ZipRecords::find(const std::string& record) const {
  const auto found = records_.find(record);
  if (found == records_.end()) {
    refuse("a record '" + record + "'", "none");
  }
  if (!found->second.stored) {
    refuse("'" + record + "' without compression", "a compressed record");
  }
  // Bytes behind its header are checked when they are read.
  if (found->second.header > directory_ || found->second.size > directory_ - found->second.header) {
    refuse(c10::str("'", record, "' within ", directory_, " bytes"),
           c10::str(found->second.size, " bytes at byte ", found->second.header));
  }
  return found->second;
}

void ZipRecords::read(const std::string& record, void* to, uint64_t count) {
  const auto& found = find(record);
  const std::string header = bytes_at(found.header, local_size);
  if (!header.starts_with(local_mark)) {
    refuse("'" + record + "' at the byte that the directory names", "something else");
  }
  const uint64_t begin = found.header + local_size + number(header, 26, 2) + number(header, 28, 2);
  if (count > found.size || begin > directory_ || found.size > directory_ - begin) {
    refuse(c10::str(count, " bytes of '", record, "' before the directory"),
           c10::str(found.size, " bytes at byte ", begin));
  }
  file_.seek(begin);
  if (file_.read(to, count) != count) {
    refuse(c10::str(count, " bytes of '", record, "'"), "a shorter file");
  }
}

}  // namespace optotorch
