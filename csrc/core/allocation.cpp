#include <optotorch/core/allocation.h>

#include <cstdlib>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace optotorch {

void keep_freed_memory() {
#ifdef __GLIBC__
  // 32 MiB is the largest threshold that glibc accepts; larger blocks are still mapped one by one.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

}  // namespace optotorch
