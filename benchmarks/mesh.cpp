// Forward and backward of mzi_mesh (all of dL_dx, dL_dtheta, dL_dphi) in float32.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <optotorch/ops/mzi_mesh.h>
#include <optotorch/ops/simd_target.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "benchmarks.h"
#include "fma_peak.h"
#include "mesh_peers.h"
#include "rows.h"
#include "tensors.h"

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

/// Verifies that two ways give the same, then times them.
Row verify_and_time(const std::string& name, const std::string& role, const std::string& how,
                    const std::function<Results()>& mine, const std::function<Results()>& other,
                    double seconds) {
  const double difference = largest_difference(mine(), other());
  if (!(difference < 1e-4)) {
    throw std::runtime_error(name + ": " + how + " differs by " + std::to_string(difference));
  }
  Row row = time_pair(
      name, role, [&] { mine(); }, [&] { other(); }, seconds);
  row.how = how;
  row.max_difference = difference;
  print_row(row);
  return row;
}

Row compare(const Problem& p, const std::string& name, const std::string& role, const Peer& peer,
            double seconds) {
  return verify_and_time(
      name, role, peer.name, [&] { return ours(p); }, [&] { return both_ways(p, peer.mesh); }, seconds);
}

/// Output and gradients of the phases without signals at the input, as first layers and rules that send none back want
/// them, beside ours with signals.
Row compare_without_signals(int64_t ports, int64_t batch, const std::string& name, double seconds) {
  const auto p = problem(ports, batch);
  const auto with_signals = [&] {
    const auto all = ours(p);
    return Results{all[1], all[2], all[3]};
  };
  const auto without = [&] {
    const ops::MeshTensors mesh{p.theta.detach(), p.phi.detach()};
    const auto x = p.input.detach();
    const auto y = ops::mzi_mesh(x, mesh, p.layout);
    const auto d = ops::mzi_mesh_backward(p.dL_doutput, x, y, mesh, p.layout, /*to_input=*/false);
    return Results{d.dL_dtheta, d.dL_dphi, y};
  };
  return verify_and_time(name, "with-signals", "ours", without, with_signals, seconds);
}

/// A stack of meshes in one call, and its meshes one by one.
Row compare_stack(int64_t meshes, int64_t ports, int64_t batch, const std::string& name, double seconds) {
  at::manual_seed(1);
  const MeshLayout layout{MeshGrid::rectangular, ports, ports};
  const auto phases = [&] { return at::rand({meshes, layout.mzis()}).mul_(6.28318); };
  const auto field = [&] { return at::randn({batch, meshes, ports}, at::kComplexFloat); };
  const Problem stack{layout, field(), field(), phases(), phases()};
  const auto one_by_one = [&] {
    Results parts[4];
    for (int64_t m = 0; m < meshes; ++m) {
      const auto one = ours({layout, stack.input.select(1, m), stack.dL_doutput.select(1, m),
                             stack.theta.select(0, m), stack.phi.select(0, m)});
      for (size_t i = 0; i < one.size(); ++i) {
        parts[i].push_back(one[i]);
      }
    }
    return Results{at::stack(parts[0], 1), at::stack(parts[1]), at::stack(parts[2]), at::stack(parts[3], 1)};
  };
  return verify_and_time(
      name, "loop", "one call a mesh", [&] { return ours(stack); }, one_by_one, seconds);
}

const Peer elementwise{"elementwise", mesh_by_columns};
const Peer small_products{"2x2 products", mesh_by_small_products};
const Peer blocks{"8x8 blocks", mesh_by_blocks};
const Peer tree{"tree of products", mesh_by_tree};

/// The fastest composition for this problem: whatever wins a short race.
Peer fastest(const Problem& p) {
  std::vector<Peer> racers{blocks};
  const int64_t states = p.layout.ports * p.layout.columns * p.input.size(0);
  if (states < 70'000'000) {
    racers.push_back(small_products);  // autograd keeps several copies of every state: gigabytes
  }
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
      {256, 128, 1, false}, {256, 1024, 2, false}, {1024, 16, 1, false}, {784, 128, 1, false},
      {784, 128, 2, false},
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
  at::set_num_threads(1);
  for (const auto& [ports, batch] : {std::pair{64, 128}, {64, 512}, {64, 4096}, {784, 1024}}) {
    rows.push_back(
        compare_without_signals(ports, batch, c10::str(ports, "x", batch, "x1 without signals"), 0.5));
  }
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    rows.push_back(compare_stack(56, 28, 128, "56x28x128x" + std::to_string(threads), 0.5));
  }
  at::set_num_threads(threads_before);
  write_json(rows, json);

  // 8 fused multiply-adds forward and 26 backward for an MZI and a sample: lossless_mesh_kernel.cpp.
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
