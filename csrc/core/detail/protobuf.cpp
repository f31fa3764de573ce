#include <optotorch/core/detail/protobuf.h>

#include <bit>

namespace optotorch {
namespace {

/// Bytes of a number, the lowest first, whatever the machine's order.
template <typename Unsigned>
void append_fixed(std::string& text, Unsigned value) {
  for (size_t byte = 0; byte < sizeof value; ++byte) {
    text += static_cast<char>(static_cast<unsigned char>(value >> (8 * byte)));
  }
}

}  // namespace

void Protobuf::varint(uint64_t value) {
  while (value >= 0x80) {
    text_ += static_cast<char>(static_cast<unsigned char>(value | 0x80));
    value >>= 7;
  }
  text_ += static_cast<char>(value);
}

void Protobuf::key(uint32_t field, Wire wire) {
  varint(uint64_t{field} << 3 | static_cast<uint32_t>(wire));
}

Protobuf& Protobuf::integer(uint32_t field, int64_t value) {
  key(field, Wire::varint);
  varint(static_cast<uint64_t>(value));
  return *this;
}

Protobuf& Protobuf::float32(uint32_t field, float value) {
  key(field, Wire::fixed32);
  append_fixed(text_, std::bit_cast<uint32_t>(value));
  return *this;
}

Protobuf& Protobuf::float64(uint32_t field, double value) {
  key(field, Wire::fixed64);
  append_fixed(text_, std::bit_cast<uint64_t>(value));
  return *this;
}

Protobuf& Protobuf::announce(uint32_t field, uint64_t size) {
  key(field, Wire::length);
  varint(size);
  return *this;
}

Protobuf& Protobuf::bytes(uint32_t field, std::string_view value) {
  announce(field, value.size());
  text_ += value;
  return *this;
}

Protobuf& Protobuf::integers(uint32_t field, const std::vector<int64_t>& values) {
  Protobuf packed;
  for (const int64_t value : values) {
    packed.varint(static_cast<uint64_t>(value));
  }
  return message(field, packed);
}

Protobuf& Protobuf::float64s(uint32_t field, const std::vector<double>& values) {
  Protobuf packed;
  for (const double value : values) {
    append_fixed(packed.text_, std::bit_cast<uint64_t>(value));
  }
  return message(field, packed);
}

}  // namespace optotorch
