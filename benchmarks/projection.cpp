// A 4096 x 4096 random projection in float32: streamed and by Walsh-Hadamard transforms, against LibTorch's
// matmul with the stored matrix; ternary inputs; and the entries alone, which no streamed product can beat.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <optotorch/modules/projectors/dense_projector.h>
#include <optotorch/ops/hadamard_projection.h>
#include <optotorch/ops/random_projection.h>

#include <cstdio>
#include <stdexcept>
#include <vector>

#include "benchmarks.h"
#include "rows.h"

namespace optotorch::bench {
namespace {

constexpr int64_t size = 4096, seed = 1;
using ops::Entries;

/// The matrix by which `ours` multiplies, from the same operator or from its reference.
Row compare(const std::string& name, const at::Tensor& x, const at::Tensor& matrix,
            const std::function<at::Tensor()>& ours) {
  const auto values = x.to(at::kFloat);
  const auto a = ours(), b = values.mm(matrix);
  const double difference = ((a - b).abs().max() / b.abs().max()).item<double>();
  if (!(difference < 1e-4)) {
    throw std::runtime_error(name + " differs by " + std::to_string(difference));
  }
  Row row = time_pair(
      name, "stored", [&] { ours(); }, [&] { values.mm(matrix); }, 2);
  row.how = "matmul with the stored matrix";
  row.max_difference = difference;
  print_row(row);
  return row;
}

}  // namespace

void run_projection(const std::string& json) {
  std::vector<Row> rows;
  const auto normal = DenseProjector(size, size, seed).matrix().t().contiguous();
  const auto signs = DenseProjector(size, size, seed, Entries::rademacher).matrix().t().contiguous();
  const auto hadamard = ops::hadamard_projection(at::eye(size), size, seed);
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    std::printf("%lld x %lld, %d thread%s\n", static_cast<long long>(size), static_cast<long long>(size),
                threads, threads == 1 ? "" : "s");
    print_header();
    for (const int64_t batch : {1, 8, 32, 128, 512}) {
      at::manual_seed(1);
      const auto x = at::randn({batch, size}), q = at::randint(-1, 2, {batch, size}, at::kChar);
      const auto of = " batch " + std::to_string(batch);
      rows.push_back(compare("normal" + of, x, normal,
                             [&] { return ops::random_projection(x, size, seed, Entries::normal); }));
      rows.push_back(compare("normal, ternary" + of, q, normal,
                             [&] { return ops::random_projection(q, size, seed, Entries::normal); }));
      rows.push_back(compare("signs, ternary" + of, q, signs,
                             [&] { return ops::random_projection(q, size, seed, Entries::rademacher); }));
      rows.push_back(
          compare("Hadamard" + of, x, hadamard, [&] { return ops::hadamard_projection(x, size, seed); }));
    }
    // The product of a single sample is next to nothing: what is left is making the entries.
    const auto x = at::randn({1, size});
    const double product = time_one([&] { ops::random_projection(x, size, seed, Entries::normal); }, 1);
    const double alone = time_one([&] { ops::sum_of_entries(size, size, seed, Entries::normal); }, 1);
    std::printf("normal entries: %.3g a second alone, %.3g in a product of one sample\n",
                1e3 * size * size / alone, 1e3 * size * size / product);
  }
  write_json(rows, json);
}

}  // namespace optotorch::bench
