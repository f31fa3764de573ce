#pragma once

// The payloads of an instrument's messages (docs/instrument.md). Decoding throws c10::ValueError, in the name
// of `where`, for anything but what was agreed by the greeting.

#include <optotorch/modules/laboratory/instrument/detail/wire.h>
#include <optotorch/modules/laboratory/physical_system.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace optotorch {

/// An instrument's description of itself.
struct Greeting {
  std::vector<StageDesign> stages;
  bool monitors = false;
  int64_t samples = 1;               ///< the most in one message: 1 to 2^32 - 1
  std::vector<std::string> between;  ///< between.h; empty: untold

  bool operator==(const Greeting&) const = default;
  /// The stages whose readings come.
  std::vector<StageDesign> read() const;
};

void send_greeting(Connection& connection, const Greeting& greeting, Deadline deadline);
/// The other side of the same.
Greeting receive_greeting(Connection& connection, Deadline deadline);

std::string encode_commands(const std::vector<StageDesign>& stages, const std::vector<Values>& commands);
std::vector<Values> decode_commands(const std::string& where, const at::Tensor& payload,
                                    const std::vector<StageDesign>& stages);
int64_t longest_commands(const std::vector<StageDesign>& stages);

/// In front of fields and readings.
struct DataHead {
  uint32_t value_size;  ///< bytes: 8 or 16 of a complex number, 4 or 8 of a real one
  uint32_t tensors;     ///< 1 with fields; with readings those that are read
  uint32_t samples;
  uint32_t values;  ///< of a sample, in all tensors together
};

/// Bytes of an error's text.
inline constexpr int64_t longest_failure = 1 << 16;

inline constexpr int64_t data_head_size = sizeof(DataHead);

/// The bytes of a tensor on the CPU, contiguous.
std::string_view bytes_of(const at::Tensor& tensor);
std::string_view bytes_of(const DataHead& head);

/// [samples, input...], complex or, of a first stage that takes values, real.
at::Tensor decode_fields(const std::string& where, const at::Tensor& payload, const Greeting& greeting);
int64_t longest_fields(const Greeting& greeting);

/// Real [samples, output...] each, the answer to fields like `x`.
std::vector<at::Tensor> decode_readings(const std::string& where, const at::Tensor& payload,
                                        const Greeting& greeting, const at::Tensor& x);
/// Before the readings of x.
DataHead head_of_readings(const Greeting& greeting, const at::Tensor& x);
int64_t length_of_readings(const Greeting& greeting, const at::Tensor& x);

}  // namespace optotorch
