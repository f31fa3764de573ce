// Forward and backward of mzi_mesh (all of dL_dx, dL_dtheta, dL_dphi) in float32.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <optotorch/ops/mzi_mesh.h>
#include <optotorch/ops/simd_target.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>

#include "benchmarks.h"
#include "fma_peak.h"
#include "mesh_peers.h"
#include "rows.h"

namespace optotorch::bench {
namespace {

struct Problem {
  MeshLayout layout;
  at::Tensor input, dL_doutput, theta, phi;
};

Problem problem(int64_t ports, int64_t batch) {
  at::manual_seed(1);
  const MeshLayout layout{MeshGrid::rectangular, ports, ports};
  const auto phases = [&] { return at::rand({layout.mzis()}).mul_(6.28318).requires_grad_(true); };
  return {layout, at::randn({batch, ports}, at::kComplexFloat).requires_grad_(true),
          at::randn({batch, ports}, at::kComplexFloat), phases(), phases()};
}

using Results = std::vector<at::Tensor>;
using Mesh = at::Tensor (*)(const at::Tensor&, const at::Tensor&, const at::Tensor&, int64_t);

at::Tensor ours(const at::Tensor& input, const at::Tensor& theta, const at::Tensor& phi, int64_t columns) {
  return ops::mzi_mesh(input, {theta, phi}, {MeshGrid::rectangular, input.size(1), columns});
}

/// Output and the three gradients, by autograd.
Results both_ways(const Problem& p, Mesh mesh) {
  const auto y = mesh(p.input, p.theta, p.phi, p.layout.columns);
  auto results = torch::autograd::grad({y}, {p.input, p.theta, p.phi}, {p.dL_doutput});
  results.push_back(y);
  return results;
}

double largest_difference(const Results& a, const Results& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double size = b[i].detach().abs().max().item<double>();
    const double difference = (a[i] - b[i]).detach().abs().max().item<double>();
    largest = std::max(largest, difference / size);
  }
  return largest;
}

Row compare(const Problem& p, const std::string& name, const std::string& peer_name, Mesh peer,
            double seconds) {
  const double difference = largest_difference(both_ways(p, ours), both_ways(p, peer));
  if (!(difference < 1e-4)) {
    throw std::runtime_error(name + ": " + peer_name + " differs by " + std::to_string(difference));
  }
  Row row = time_pair(
      name, peer_name, [&] { both_ways(p, ours); }, [&] { both_ways(p, peer); }, seconds);
  row.max_difference = difference;
  print_row(row);
  return row;
}

}  // namespace

void run_mesh(const std::string& json) {
  const int threads_before = at::get_num_threads();
  std::printf("mzi_mesh, forward + backward by autograd, float32; SIMD: %s\n", ops::simd_target().c_str());
  print_header();
  struct Case {
    int64_t ports, batch;
    int threads;
    double seconds;
  };
  std::vector<Row> rows;
  for (const auto& [ports, batch, threads, seconds] : std::vector<Case>{{64, 128, 1, 3},
                                                                        {64, 128, 2, 2},
                                                                        {8, 1, 1, 0.5},
                                                                        {8, 128, 1, 0.5},
                                                                        {8, 4096, 1, 0.5},
                                                                        {16, 128, 1, 0.5},
                                                                        {32, 128, 1, 0.5},
                                                                        {64, 1, 1, 1},
                                                                        {64, 16, 1, 1},
                                                                        {64, 1024, 1, 1},
                                                                        {64, 4096, 1, 1},
                                                                        {64, 4096, 2, 1},
                                                                        {256, 128, 1, 1},
                                                                        {256, 1024, 2, 1},
                                                                        {1024, 32, 2, 1}}) {
    at::set_num_threads(threads);
    const auto p = problem(ports, batch);
    const std::string name =
        std::to_string(ports) + "x" + std::to_string(batch) + "x" + std::to_string(threads);
    rows.push_back(compare(p, name, "columns", mesh_by_columns, seconds));
    if (ports <= 64) {
      rows.push_back(compare(p, name, "best", mesh_by_tree, seconds));
    }
  }
  at::set_num_threads(threads_before);
  write_json(rows, json);

  // 9 fused multiply-adds forward and 24 backward for an MZI and a sample: ideal_mesh_kernel.cpp.
  const double operations = 2.0 * (9 + 24) * 2016 * 128;
  const double rate = operations / rows.front().ours_ms * 1e-6, peak = fma_peak_gflops();
  std::printf("64x128x1: %.0f GFLOP/s, %.0f %% of %.0f GFLOP/s (fused multiply-adds from registers)\n", rate,
              100 * rate / peak, peak);
}

}  // namespace optotorch::bench
