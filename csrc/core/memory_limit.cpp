#include <c10/core/CPUAllocator.h>
#include <optotorch/core/check.h>
#include <optotorch/core/memory_limit.h>

#include <mutex>
#include <utility>

namespace optotorch {
namespace {

thread_local MemoryLimit* innermost = nullptr;

}  // namespace

/// LibTorch's allocator, asked only for what the thread's limits allow.
class LimitedAllocator final : public c10::Allocator {
 public:
  explicit LimitedAllocator(c10::Allocator* whole) : whole_(whole) {}

  c10::DataPtr allocate(size_t bytes) override {
    if (innermost != nullptr) {
      innermost->take(bytes);
    }
    return whole_->allocate(bytes);
  }
  c10::DeleterFnPtr raw_deleter() const override { return whole_->raw_deleter(); }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    whole_->copy_data(to, from, bytes);
  }
  bool is_simple_data_ptr(const c10::DataPtr& data) const override {
    return whole_->is_simple_data_ptr(data);
  }

 private:
  c10::Allocator* whole_;
};

MemoryLimit::MemoryLimit(std::string where, uint64_t bytes)
    : where_(std::move(where)), bytes_(bytes), left_(bytes), outer_(innermost) {
  static std::once_flag installed;
  // It stays: other threads may be allocating by it when the last limit has gone.
  std::call_once(installed, [] {
    static LimitedAllocator limited(c10::GetCPUAllocator());
    constexpr uint8_t above_the_usual = 1;
    c10::SetCPUAllocator(&limited, above_the_usual);
  });
  innermost = this;
}

MemoryLimit::~MemoryLimit() {
  innermost = outer_;
}

void MemoryLimit::take(uint64_t bytes) {
  OPTOTORCH_CHECK(bytes <= left_, .where = where_, .argument = "memory",
                  .expected = c10::str("at most ", bytes_, " bytes of tensors"),
                  .got = c10::str("another ", bytes, " when ", left_, " were left"));
  left_ -= bytes;
  if (outer_ != nullptr) {
    outer_->take(bytes);
  }
}

}  // namespace optotorch
