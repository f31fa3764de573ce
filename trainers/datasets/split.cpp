#include <ATen/ATen.h>
#include <optotorch/trainers/datasets/detail/held_back.h>
#include <optotorch/trainers/datasets/random_order.h>
#include <optotorch/trainers/datasets/split.h>

#include <tuple>

namespace optotorch {
namespace {

/// {training, validation} of any set with `select`.
template <typename Parts, typename Set>
Parts parts_of(const Set& set, double validation, uint64_t seed) {
  const int64_t samples = set.count();
  const int64_t count = held_back_of(samples, validation, "samples");
  const at::Tensor order = random_order(samples, seed, RandomStream::split, 0);
  const auto part = [&](int64_t first, int64_t length) {
    return set.select(std::get<0>(order.narrow(0, first, length).sort()));
  };
  return {part(count, samples - count), part(0, count)};
}

}  // namespace

Split split(const ImageSet& set, double validation, uint64_t seed) {
  return parts_of<Split>(set, validation, seed);
}

FileSplit split(const ImageFileSet& set, double validation, uint64_t seed) {
  return parts_of<FileSplit>(set, validation, seed);
}

}  // namespace optotorch
