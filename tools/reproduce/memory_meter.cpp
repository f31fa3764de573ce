#include "reproduce/memory_meter.h"

#include <c10/core/CPUAllocator.h>
#include <optotorch/core/check.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

namespace optotorch::tools {
namespace {

std::atomic<int64_t> live_bytes = 0, peak_bytes = 0;

void took(int64_t bytes) {
  const int64_t now = live_bytes += bytes;
  int64_t most = peak_bytes;
  while (most < now && !peak_bytes.compare_exchange_weak(most, now)) {
  }
}

/// LibTorch's own allocator with an account.
class CountingAllocator : public c10::Allocator {
 public:
  explicit CountingAllocator(c10::Allocator& allocator) : allocator_(allocator) {}

  c10::DataPtr allocate(size_t bytes) override {
    auto block = std::make_unique<Block>(allocator_.allocate(bytes), static_cast<int64_t>(bytes));
    void* const data = block->memory.get();
    const auto device = block->memory.device();
    took(block->bytes);
    return {data, block.release(), &CountingAllocator::free, device};
  }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

 private:
  struct Block {
    Block(c10::DataPtr memory, int64_t bytes) : memory(std::move(memory)), bytes(bytes) {}
    c10::DataPtr memory;
    int64_t bytes;
  };
  static void free(void* context) {
    const std::unique_ptr<Block> block(static_cast<Block*>(context));
    live_bytes -= block->bytes;
  }

  c10::Allocator& allocator_;
};

int64_t from_status(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name + ":")) {
      std::istringstream values(line.substr(name.size() + 1));
      int64_t kibibytes = 0;
      values >> kibibytes;
      return kibibytes * 1024;
    }
  }
  reject({.where = "optotorch",
          .argument = "/proc/self/status",
          .expected = "a line " + name,
          .got = "none",
          .remedy = "Measure on Linux"});
}

}  // namespace

void count_tensor_bytes() {
  static CountingAllocator counting(*c10::GetCPUAllocator());
  c10::SetCPUAllocator(&counting, /*priority=*/1);
}

int64_t tensor_bytes() {
  return live_bytes;
}
int64_t peak_tensor_bytes() {
  return peak_bytes;
}
void reset_peak_tensor_bytes() {
  peak_bytes = live_bytes.load();
}

int64_t resident_bytes() {
  return from_status("VmRSS");
}
int64_t peak_resident_bytes() {
  return from_status("VmHWM");
}

}  // namespace optotorch::tools
