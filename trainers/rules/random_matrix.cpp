#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <optotorch/core/random.h>
#include <optotorch/core/random_pairs.h>
#include <optotorch/trainers/rules/random_matrix.h>

namespace optotorch {
namespace {

constexpr int64_t grain = 1 << 12;

}  // namespace

torch::Tensor normal_matrix(int64_t rows, int64_t columns, int64_t seed, int64_t stream,
                            torch::ScalarType type) {
  const auto pairs = normal_pairs(seed, static_cast<uint64_t>(stream), 0, rows * columns);
  const auto result = at::view_as_complex(pairs).view({rows, columns});
  return c10::isComplexType(type) ? (result * std::sqrt(0.5)).to(type) : at::real(result).to(type);
}

torch::Tensor uniform_matrix(int64_t rows, int64_t columns, int64_t seed, int64_t stream,
                             torch::ScalarType type) {
  auto result = at::empty({rows, columns}, at::kDouble);
  auto* entries = result.mutable_data_ptr<double>();
  at::parallel_for(0, rows * columns, grain, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      at::Philox4_32 engine(seed, stream, n);
      entries[n] = 2 * uniform(engine) - 1;
    }
  });
  return result.to(type);
}

}  // namespace optotorch
