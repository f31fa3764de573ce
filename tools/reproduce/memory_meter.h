#pragma once

// Memory of a computation, measured from within its process.

#include <cstdint>

namespace optotorch::tools {

/// From now on every tensor of the CPU is counted, for the rest of the process; tensors that are there
/// already are not. Call it once.
void count_tensor_bytes();

/// Bytes that counted tensors hold now, as they were asked for, and the most they held since the last call of
/// `reset_peak_tensor_bytes`. What a library takes beside LibTorch's allocator is not seen.
int64_t tensor_bytes();
int64_t peak_tensor_bytes();
void reset_peak_tensor_bytes();

/// The process's memory that is resident now, and the most it ever was: VmRSS and VmHWM of Linux. Throws
/// c10::ValueError without such a system.
int64_t resident_bytes();
int64_t peak_resident_bytes();

}  // namespace optotorch::tools
