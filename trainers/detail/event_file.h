#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace optotorch {

/// CRC-32C, of Castagnoli's polynomial (RFC 3720).
uint32_t crc32c(std::string_view bytes);

/// One record of a TFRecord file: length (uint64), masked CRC-32C of the length, data, masked CRC-32C of the data, all
/// little-endian. Source: https://www.tensorflow.org/tutorials/load_data/tfrecord.
std::string tf_record(std::string_view data);

/// A new file of records, which grows by whole records: of a run that is killed at most the last one is broken. An
/// error is c10::ValueError, which names the file and the reason, and takes nothing from the records before it.
class EventFile {
 public:
  /// FOLDER/events.out.tfevents.SECONDS.HOST.PROCESS.NUMBER, as TensorBoard looks for it; the folder is made if absent.
  explicit EventFile(const std::string& folder);
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;
  ~EventFile();

  /// Appends a record.
  void append(std::string_view data);
  /// Waits until the disk has all of them.
  void flush();
  /// The file's name with its folder.
  const std::string& path() const { return path_; }

 private:
  [[noreturn]] void fail(int error) const;

  std::string path_;
  int descriptor_ = -1;
  int64_t size_ = 0;
};

}  // namespace optotorch
