// One step of a DiffractiveLayer, forward and backward in complex64, against what LibTorch's operators do with a
// cached transfer function, and against the Fourier transforms alone that the step cannot do without.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <optotorch/core/npy.h>
#include <optotorch/modules/optics/diffractive_layer.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <vector>

#include "benchmarks.h"
#include "peer_program.h"
#include "reproduce/memory_meter.h"
#include "rows.h"
#include "tensors.h"

namespace optotorch::bench {
namespace {

constexpr int64_t batch = 32;

struct PlanesProblem {
  int64_t side;
  DiffractiveLayer layer;
  at::Tensor x = at::randn({batch, 1, side, side}, at::kComplexFloat), dL_dy = at::randn_like(x);
  at::Tensor transfer;  ///< of the layer's grid

  PlanesProblem(int64_t side, Propagation propagation)
      : side(side), layer(DiffractiveLayerOptions({side, side}).hop(HopOptions().propagation(propagation))) {
    const auto& options = layer->options;
    transfer = options.sample_hop().transfer({side, side}, {side, side}, x.options());
  }

  /// y, dL_dx, dL_dphase
  Results ours() {
    layer->phase.mutable_grad() = at::Tensor();
    const auto pass = layer->propagate(x);
    const auto dL_dx = layer->pullback(pass, dL_dy);
    return {pass.output, dL_dx, layer->phase.grad()};
  }
};

/// What a user of LibTorch writes: padded to twice the window.
struct Cached {
  const PlanesProblem& problem;
  at::Tensor transfer, x, phase;

  explicit Cached(const PlanesProblem& problem) : problem(problem) {
    // The same lags on the other grid.
    const int64_t side = problem.side, behind = side - 1;
    auto lags = at::fft_ifft2(problem.transfer.to(at::kComplexDouble));
    for (const int64_t dim : {0, 1}) {
      auto shape = lags.sizes().vec();
      shape[static_cast<size_t>(dim)] = 2 * side - behind - side;
      lags = at::cat(
          {lags.narrow(dim, 0, side), at::zeros(shape, lags.options()), lags.narrow(dim, -behind, behind)},
          dim);
    }
    transfer = at::fft_fft2(lags).to(at::kComplexFloat);
    x = problem.x.clone().requires_grad_();
    phase = problem.layer->phase.detach().clone().requires_grad_();
  }

  Results operator()() const {
    const int64_t side = problem.side;
    const auto u = x * at::complex(phase.cos(), phase.sin());
    const auto spectrum = at::fft_fft2(u, at::IntArrayRef({2 * side, 2 * side}));
    const auto y = at::fft_ifft2(spectrum * transfer).narrow(2, 0, side).narrow(3, 0, side);
    auto gradients = torch::autograd::grad({y}, {x, phase}, {problem.dL_dy});
    return {y, gradients[0], gradients[1]};
  }
};

/// Rows of the window, all columns there and back, rows of the window; of every sample, there and backward.
class Transforms {
 public:
  Transforms(const at::Tensor& transfer, int64_t side)
      : rows_(at::randn({side, transfer.size(1)}, transfer.options())),
        columns_(at::randn({transfer.size(1), transfer.size(0)}, transfer.options())) {}

  void operator()() const {
    for (int64_t n = 0; n < 2 * batch; ++n) {
      for (const auto& lines : {rows_, columns_, columns_, rows_}) {
        at::_fft_c2c(lines, {1}, /*normalization=*/0, /*forward=*/true);
      }
    }
  }

 private:
  at::Tensor rows_, columns_;
};

/// A process of Python that runs torchoptics on the same plane.
class Torchoptics {
 public:
  Torchoptics(const std::string& python, const PlanesProblem& problem)
      : folder_(std::make_unique<TemporaryFolder>()), problem_(problem) {
    const auto& hop = problem.layer->options.hop();
    const auto save = [this](const char* name, const at::Tensor& tensor) {
      save_npy(folder_->path() + "/" + name + ".npy", tensor.detach());
    };
    save("geometry",
         at::tensor({hop.wavelengths().front(), hop.distance(), hop.spacing()}, at::dtype(at::kDouble)));
    save("field", problem.x);
    save("signal", problem.dL_dy);
    save("phase", problem.layer->phase);
    // A beam and a lens that both ways of sampling can follow.
    const auto along = at::linspace(-4, 4, problem.side, at::kDouble).square();
    const auto square = along.unsqueeze(1) + along;
    smooth_ = at::exp(-square).to(at::kComplexDouble);
    smooth_phase_ = 3 * at::exp(-2 * square);
    save("smooth", smooth_);
    save("smooth_phase", smooth_phase_);
    const auto script = std::filesystem::path(__FILE__).parent_path() / "torchoptics_planes.py";
    peer_ = std::make_unique<PeerProgram>(python, script, folder_->path(), "torchoptics");
  }

  /// Largest difference of the fields behind a smooth plane, in double.
  double check() const {
    DiffractiveLayer layer(problem_.layer->options);
    layer->to(at::kDouble);
    {
      const torch::NoGradGuard no_grad;
      layer->phase.copy_(smooth_phase_);
    }
    peer_->run("check");
    return verified("free-space", {layer->propagate(smooth_.expand({1, 1, -1, -1})).output[0][0]},
                    {load_npy(folder_->path() + "/smooth_behind.npy")});
  }

  void step() const { peer_->run("step"); }

 private:
  std::unique_ptr<TemporaryFolder> folder_;
  const PlanesProblem& problem_;
  at::Tensor smooth_, smooth_phase_;
  std::unique_ptr<PeerProgram> peer_;
};

/// One plane against its peers, by this number of threads.
void time_planes(PlanesProblem& problem, const std::string& name, int threads, const std::string& python,
                 std::vector<Row>& rows) {
  const Cached cached(problem);
  const auto ours = [&] { return problem.ours(); };
  at::set_num_threads(threads);
  std::printf("%lld x %lld, batch %lld, %d thread%s\n", static_cast<long long>(problem.side),
              static_cast<long long>(problem.side), static_cast<long long>(batch), threads,
              threads == 1 ? "" : "s");
  print_header();
  const auto add = [&](Row row, const char* how, double difference) {
    row.how = how;
    row.max_difference = difference;
    print_row(row);
    rows.push_back(row);
  };
  const double difference = verified("free-space", problem.ours(), cached());
  add(time_pair(name, "cached", ours, cached, 6), "fft2, H, ifft2", difference);
  if (threads == 1) {
    const Transforms transforms(problem.transfer, problem.side);
    add(time_pair(name, "ffts", ours, transforms, 6), "no arithmetic", 0);
  }
  if (threads == 1 && !python.empty()) {
    const Torchoptics torchoptics(python, problem);
    const double apart = torchoptics.check();
    add(time_pair(
            name, "torchoptics", ours, [&] { torchoptics.step(); }, 30),
        "padding 2, its own transfer function each time", apart);
  }
}

}  // namespace

void run_free_space(const std::string& json, const std::string& python) {
  at::manual_seed(1);
  PlanesProblem problem(256, Propagation::angular_spectrum);
  std::vector<Row> rows;
  for (const int threads : {1, 2}) {
    time_planes(problem, "both ways", threads, python, rows);
  }
  for (const int64_t side : {64, 128, 200, 256, 400}) {
    PlanesProblem paraxial(side, Propagation::fresnel);
    time_planes(paraxial, "paraxial", 1, "", rows);
  }
  const Cached cached(problem);
  const auto ours = [&] { return problem.ours(); };
  at::set_num_threads(1);
  tools::count_tensor_bytes();  // last: counting takes time
  const double least = most_memory(ours), peer = most_memory(cached);
  std::printf("tensors of a step, at most: ours %.1f MiB, cached %.1f MiB (%.2f times)\n", least, peer,
              peer / least);
  write_json(rows, json);
}

}  // namespace optotorch::bench
