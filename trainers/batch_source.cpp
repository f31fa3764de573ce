#include <optotorch/core/check.h>
#include <optotorch/trainers/batch_source.h>

namespace optotorch {

std::pair<int64_t, int64_t> part_of(int64_t n, int64_t part, int64_t parts) {
  OPTOTORCH_CHECK(parts >= 1 && part >= 0 && part < parts, .where = "BatchSource", .argument = "part",
                  .expected = c10::str("0 to ", parts - 1, " of ", parts), .got = std::to_string(part));
  const int64_t first = part * n / parts;
  return {first, (part + 1) * n / parts - first};
}

Batch BatchSource::part(int64_t epoch, int64_t index, int64_t part, int64_t parts) const {
  const auto whole = batch(epoch, index);
  const auto [first, count] = part_of(whole.target.size(0), part, parts);
  return {whole.data.narrow(0, first, count), whole.target.narrow(0, first, count)};
}

}  // namespace optotorch
