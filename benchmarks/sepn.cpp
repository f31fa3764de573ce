// Forward, and forward with both gradients, of the error-prediction network in float32.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <optotorch/ops/sepn.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdio>
#include <vector>

#include "benchmarks.h"
#include "rows.h"
#include "tensors.h"

namespace optotorch::bench {
namespace {

Row verify_and_time(const std::string& name, const std::function<Results()>& ours,
                    const std::function<Results()>& peer) {
  const double difference = verified(name, ours(), peer());
  Row row = time_pair(
      name, "LibTorch", [&] { ours(); }, [&] { peer(); }, 3);
  row.how = "complex conv2d and conv_transpose2d";
  row.max_difference = difference;
  print_row(row);
  return row;
}

}  // namespace

void run_sepn(const std::string& json) {
  constexpr int64_t ports = 64, batch = 500;
  std::vector<Row> rows;
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    std::printf("%lld ports, batch %lld, %d thread%s\n", static_cast<long long>(ports),
                static_cast<long long>(batch), threads, threads == 1 ? "" : "s");
    print_header();
    for (const auto& [name, features] : {std::pair{"10k", std::array<int64_t, 3>{4, 8, 16}},
                                         std::pair{"4k", std::array<int64_t, 3>{4, 6, 8}}}) {
      at::manual_seed(1);
      const ops::SepnLayout layout{ports, features};
      const auto x = at::randn({batch, ports}, at::kComplexFloat), g = at::randn_like(x);
      const auto p = at::randn({layout.parameters(), 2}).mul_(0.1);
      const auto leaf_x = x.clone().requires_grad_(), leaf_p = p.clone().requires_grad_();
      rows.push_back(verify_and_time(
          std::string(name) + " forward", [&] { return Results{ops::sepn(x, p, layout)}; },
          [&] { return Results{ops::sepn_reference(x, p, layout)}; }));
      rows.push_back(verify_and_time(
          std::string(name) + " both ways",
          [&] {
            const auto y = ops::sepn(x, p, layout);
            auto [dL_dx, dL_dp] = ops::sepn_backward(g, x, p, layout);
            return Results{y, dL_dx, dL_dp};
          },
          [&] {
            const auto y = ops::sepn_reference(leaf_x, leaf_p, layout);
            auto gradients = torch::autograd::grad({y}, {leaf_x, leaf_p}, {g});
            return Results{y, gradients[0], gradients[1]};
          }));
    }
  }
  write_json(rows, json);
}

}  // namespace optotorch::bench
