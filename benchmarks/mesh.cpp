// Forward and backward of mzi_mesh (all of dL_dx, dL_dtheta, dL_dphi) in float32.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <optotorch/ops/mzi_mesh.h>
#include <optotorch/ops/simd_target.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

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

/// Output and the three gradients as a layer gets them: the operator and its pull-back, without a graph.
Results ours(const Problem& p) {
  const ops::MeshTensors mesh{p.theta.detach(), p.phi.detach()};
  const auto x = p.input.detach();
  const auto y = ops::mzi_mesh(x, mesh, p.layout);
  auto gradients = ops::mzi_mesh_backward(p.dL_doutput, x, y, mesh, p.layout);
  return {gradients.dL_dinput, gradients.dL_dtheta, gradients.dL_dphi, y};
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

/// Another way to write the mesh with LibTorch's operators.
struct Peer {
  const char* name;
  Mesh mesh;
};

Row compare(const Problem& p, const std::string& name, const std::string& role, const Peer& peer,
            double seconds) {
  const double difference = largest_difference(ours(p), both_ways(p, peer.mesh));
  if (!(difference < 1e-4)) {
    throw std::runtime_error(name + ": " + peer.name + " differs by " + std::to_string(difference));
  }
  Row row = time_pair(
      name, role, [&] { ours(p); }, [&] { both_ways(p, peer.mesh); }, seconds);
  row.how = peer.name;
  row.max_difference = difference;
  print_row(row);
  return row;
}

const Peer elementwise{"elementwise", mesh_by_columns};
const Peer small_products{"2x2 products", mesh_by_small_products};
const Peer blocks{"8x8 blocks", mesh_by_blocks};
const Peer tree{"tree of products", mesh_by_tree};

/// The fastest composition for this problem: whatever wins a short race.
Peer fastest(const Problem& p) {
  std::vector<Peer> racers{small_products, blocks};
  if (p.layout.ports <= 64) {
    racers.push_back(tree);  // its cost grows with the fourth power of the ports
  }
  const Peer* best = nullptr;
  double best_ms = 0;
  for (const Peer& peer : racers) {
    const double ms = time_one([&] { both_ways(p, peer.mesh); }, 0.1);
    if (!best || ms < best_ms) {
      best = &peer;
      best_ms = ms;
    }
  }
  return *best;
}

}  // namespace

void run_mesh(const std::string& json) {
  const int threads_before = at::get_num_threads();
  std::printf("mzi_mesh and its pull-back against autograd through LibTorch's operators, float32; SIMD: %s\n",
              ops::simd_target().c_str());
  print_header();
  struct Case {
    int64_t ports, batch;
    int threads;
    bool columns;  // or only the best peer
  };
  const std::vector<Case> cases{
      {64, 128, 1, true},   {64, 128, 2, true},    {8, 1, 1, true},      {8, 128, 1, true},
      {8, 4096, 1, true},   {16, 128, 1, true},    {32, 128, 1, true},   {64, 1, 1, true},
      {64, 16, 1, true},    {64, 512, 1, true},    {64, 4096, 1, false}, {64, 4096, 2, false},
      {256, 128, 1, false}, {256, 1024, 2, false}, {1024, 16, 1, false},
  };
  std::vector<Row> rows;
  for (const auto& [ports, batch, threads, columns] : cases) {
    at::set_num_threads(threads);
    const auto p = problem(ports, batch);
    const std::string name =
        std::to_string(ports) + "x" + std::to_string(batch) + "x" + std::to_string(threads);
    const bool main_case = rows.empty();
    const double seconds = main_case ? 4 : 0.5;
    if (columns) {
      rows.push_back(compare(p, name, "columns", elementwise, seconds));
    }
    if (main_case) {
      rows.push_back(compare(p, name, "columns-products", small_products, seconds));
      rows.push_back(compare(p, name, "tree", tree, seconds));
    }
    rows.push_back(compare(p, name, "best", fastest(p), seconds));
  }
  at::set_num_threads(threads_before);
  write_json(rows, json);

  // 8 fused multiply-adds forward and 26 backward for an MZI and a sample: ideal_mesh_kernel.cpp.
  at::set_num_threads(1);
  const auto p = problem(64, 128);
  const double ms = time_one([&] { ours(p); }, 1);
  at::set_num_threads(threads_before);
  const double operations = 2.0 * (8 + 26) * static_cast<double>(p.layout.mzis()) * 128;
  const double rate = operations / ms * 1e-6, peak = fma_peak_gflops();
  std::printf(
      "64x128x1: %.0f GFLOP/s, %.0f %% of %.0f GFLOP/s (fused multiply-adds from "
      "registers)\n",
      rate, 100 * rate / peak, peak);
}

}  // namespace optotorch::bench
