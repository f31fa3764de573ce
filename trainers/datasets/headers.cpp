#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/core/random.h>
#include <optotorch/trainers/datasets/headers.h>

#include <algorithm>

namespace optotorch {
namespace {

constexpr char headers_name[] = "HeaderBatches";
constexpr int64_t most_bits = 16, most_window = 64, most_samples = int64_t{1} << 40;
constexpr uint64_t bit_stream = 0x6865616465720000;  // apart from what else a seed decides

}  // namespace

HeaderBatches::HeaderBatches(HeaderBatchesOptions options) : options_(options) {
  auto& o = options_;
  OPTOTORCH_CHECK(o.bits() >= 1 && o.bits() <= most_bits, .where = headers_name, .argument = "bits",
                  .expected = c10::str("1 to ", most_bits), .got = std::to_string(o.bits()));
  o.window(o.window() == 0 ? 2 * o.bits() : o.window());
  OPTOTORCH_CHECK(o.window() >= o.bits() && o.window() <= most_window, .where = headers_name,
                  .argument = "window", .expected = c10::str(o.bits(), " to ", most_window),
                  .got = std::to_string(o.window()));
  OPTOTORCH_CHECK(o.mirrors() >= 1 && o.mirrors() <= most_samples, .where = headers_name,
                  .argument = "mirrors", .expected = "at least 1", .got = std::to_string(o.mirrors()));
  OPTOTORCH_CHECK(o.samples() >= 1 && o.samples() <= most_samples && o.batch_size() >= 0,
                  .where = headers_name, .argument = "samples, batch_size",
                  .expected = "at least 1, and 0 (all) or more",
                  .got = c10::str(o.samples(), ", ", o.batch_size()));
  o.batch_size(o.batch_size() == 0 ? o.samples() : std::min(o.batch_size(), o.samples()));
}

int64_t HeaderBatches::size() const {
  return (options_.samples() + options_.batch_size() - 1) / options_.batch_size();
}

Batch HeaderBatches::batch(int64_t epoch, int64_t index) const {
  OPTOTORCH_CHECK(epoch >= 0 && index >= 0 && index < size(), .where = headers_name,
                  .argument = "epoch, index",
                  .expected = c10::str("an epoch of at least 0, and 0 to ", size() - 1),
                  .got = c10::str(epoch, ", ", index));
  const int64_t first = index * options_.batch_size();
  const int64_t count = std::min(options_.batch_size(), options_.samples() - first);
  const int64_t window = options_.window(), bits = options_.bits();
  auto stream = at::empty({count + window - 1}, at::kFloat);
  auto* const values = stream.mutable_data_ptr<float>();
  for (int64_t n = 0; n < stream.numel(); ++n) {
    at::Philox4_32 engine(static_cast<uint64_t>(options_.seed()), bit_stream,
                          static_cast<uint64_t>(first + n));
    values[n] = static_cast<float>(engine() & 1U);
  }
  const auto frames = stream.unfold(0, window, 1);  // [count, window]
  const auto powers = at::pow(2, at::arange(bits - 1, -1, -1)).to(at::kFloat);
  const auto header = frames.narrow(1, window - bits, bits).matmul(powers);
  return {frames.repeat_interleave(options_.mirrors(), 1), header.to(at::kLong)};
}

}  // namespace optotorch
