#include <ATen/ATen.h>
#include <ATen/core/PhiloxRNGEngine.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/random_order.h>

#include <numeric>
#include <utility>

namespace optotorch {
namespace {

uint64_t first_counter(RandomStream stream) {
  return static_cast<uint64_t>(stream) << 62;
}

/// Uniform in 0 ... count - 1: the high half of a product, drawn again in the few cases that would favour a
/// number.
uint32_t draw_below(uint32_t count, at::Philox4_32& engine) {
  uint64_t product = uint64_t{engine()} * count;
  if (static_cast<uint32_t>(product) < count) {
    const uint32_t unfair = -count % count;
    while (static_cast<uint32_t>(product) < unfair) {
      product = uint64_t{engine()} * count;
    }
  }
  return static_cast<uint32_t>(product >> 32);
}

}  // namespace

at::Tensor random_order(int64_t count, uint64_t seed, RandomStream stream, uint64_t epoch) {
  OPTOTORCH_CHECK(count >= 1 && count < (int64_t{1} << 32), .where = "random_order", .argument = "count",
                  .expected = "1 to 2^32 - 1", .got = std::to_string(count));
  at::Tensor order = at::empty({count}, at::kLong);
  int64_t* const begin = order.mutable_data_ptr<int64_t>();
  std::iota(begin, begin + count, int64_t{0});
  at::Philox4_32 engine(seed, epoch, first_counter(stream));
  for (int64_t left = count; left > 1; --left) {
    std::swap(begin[left - 1], begin[draw_below(static_cast<uint32_t>(left), engine)]);
  }
  return order;
}

Shift random_shift(int64_t most, uint64_t seed, uint64_t epoch, uint64_t sample) {
  at::Philox4_32 engine(seed, epoch, first_counter(RandomStream::shift) + sample);
  const auto choices = static_cast<uint64_t>(2 * most + 1);
  const auto draw = [&] { return static_cast<int64_t>((engine() * choices) >> 32) - most; };
  const int64_t down = draw();
  return {down, draw()};
}

bool random_flip(uint64_t seed, uint64_t epoch, uint64_t sample) {
  at::Philox4_32 engine(seed, epoch, first_counter(RandomStream::flip) + sample);
  return engine() % 2 == 1;
}

uint64_t random_seed(uint64_t seed, uint64_t epoch, uint64_t sample) {
  at::Philox4_32 engine(seed, epoch, first_counter(RandomStream::flip) + (uint64_t{1} << 61) + sample);
  const uint64_t high = engine();
  return high << 32 | engine();
}

int64_t random_start(int64_t count, uint64_t seed, uint64_t epoch, uint64_t window) {
  at::Philox4_32 engine(seed, epoch, (uint64_t{1} << 61) + window);
  const auto choices = static_cast<uint64_t>(count);
  // The high 64 bits of choices times a number of 64 bits; no step overflows while choices < 2^32.
  const uint64_t high = engine() * choices;
  const uint64_t low = engine() * choices;
  return static_cast<int64_t>((high + (low >> 32)) >> 32);
}

}  // namespace optotorch
