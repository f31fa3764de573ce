#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace optotorch {

/// One message in the wire format of protocol buffers, field by field, as the files of other programs (ONNX
/// models, TensorBoard's events) want it. Nothing is read. Source:
/// https://protobuf.dev/programming-guides/encoding.
class Protobuf {
 public:
  /// int32, int64, uint64, bool and enumerations; negative numbers take ten bytes, as the format has it.
  Protobuf& integer(uint32_t field, int64_t value);
  /// float and double.
  Protobuf& float32(uint32_t field, float value);
  Protobuf& float64(uint32_t field, double value);
  /// string and bytes.
  Protobuf& bytes(uint32_t field, std::string_view value);
  Protobuf& message(uint32_t field, const Protobuf& value) { return bytes(field, value.text()); }
  /// The beginning of such a field, for many bytes that the caller writes behind this message.
  Protobuf& announce(uint32_t field, uint64_t size);
  /// Repeated numbers in one field, `[packed = true]`.
  Protobuf& integers(uint32_t field, const std::vector<int64_t>& values);
  Protobuf& float64s(uint32_t field, const std::vector<double>& values);

  /// Bytes of the message.
  const std::string& text() const { return text_; }

 private:
  enum class Wire : uint32_t { varint = 0, fixed64 = 1, length = 2, fixed32 = 5 };
  void varint(uint64_t value);
  void key(uint32_t field, Wire wire);

  std::string text_;
};

}  // namespace optotorch
