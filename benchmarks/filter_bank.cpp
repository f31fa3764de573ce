// Seven spectral filters on the patches of an image, complex64, against what LibTorch's operators do: Fourier transform,
// product with each filter's response, transform back, square, mean of every window.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <optotorch/ops/filter_bank.h>
#include <optotorch/ops/filter_coefficients.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdio>
#include <functional>
#include <vector>

#include "benchmarks.h"
#include "reproduce/memory_meter.h"
#include "rows.h"
#include "tensors.h"

namespace optotorch::bench {
namespace {

constexpr int64_t filter_batch = 128, filter_symbols = 3136, filter_count = 7;

struct Waveforms {
  const ops::FilterBankLayout layout{.window = 16};  // integrates and dumps: the peer's pool
  at::Tensor x = at::randn({filter_batch, filter_symbols}, at::kComplexFloat);
  at::Tensor coefficients =
      ops::filter_coefficients(ops::FilterKind::lorentzian, at::linspace(0, 0.45, filter_count, at::kDouble),
                               at::full({filter_count}, 0.04, at::kDouble))
          .values.to(at::kComplexFloat);
  at::Tensor dL_dy = at::randn({filter_batch, filter_count, filter_symbols / 16});

  Results forward() const { return {ops::filter_bank(x, coefficients, layout)}; }
  Results both_ways() const {
    const auto [dL_dx, dL_dc] = ops::filter_bank_backward(dL_dy, x, coefficients, layout);
    return {ops::filter_bank(x, coefficients, layout), dL_dx, dL_dc};
  }
};

/// With responses that were made before.
Results composed(const Waveforms& w, const at::Tensor& responses) {
  const auto spectrum = at::fft_fft(w.x.unsqueeze(1), 2 * filter_symbols);
  const auto v = at::fft_ifft(spectrum * responses).narrow(2, 0, filter_symbols);
  const auto intensity = at::real(v).square() + at::imag(v).square();
  return {at::avg_pool1d(intensity, {w.layout.window})};
}

/// Gradients at the coefficients, too: responses are made of them every time.
Results composed_both_ways(const Waveforms& w) {
  const auto x = w.x.detach().requires_grad_(), c = w.coefficients.detach().requires_grad_();
  const auto responses = ops::filter_responses(c, w.layout, filter_symbols);
  const auto spectrum = at::fft_fft(x.unsqueeze(1), 2 * filter_symbols);
  const auto v = at::fft_ifft(spectrum * responses).narrow(2, 0, filter_symbols);
  const auto y = at::avg_pool1d(at::real(v).square() + at::imag(v).square(), {w.layout.window});
  const auto gradients = torch::autograd::grad({y}, {x, c}, {w.dL_dy});
  return {y, gradients[0], gradients[1]};
}

}  // namespace

void run_filter_bank(const std::string& json) {
  at::manual_seed(1);
  const Waveforms waveforms;
  const auto responses = ops::filter_responses(waveforms.coefficients, waveforms.layout, filter_symbols);
  const auto forward = [&] { return waveforms.forward(); };
  const auto both_ways = [&] { return waveforms.both_ways(); };
  const auto peer_forward = [&] { return composed(waveforms, responses); };
  const auto peer_both_ways = [&] { return composed_both_ways(waveforms); };
  std::vector<Row> rows;
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    std::printf("%lld filters, %lld symbols, batch %lld, %d thread%s\n", static_cast<long long>(filter_count),
                static_cast<long long>(filter_symbols), static_cast<long long>(filter_batch), threads,
                threads == 1 ? "" : "s");
    print_header();
    const auto add = [&](const std::string& name, const std::function<Results()>& ours,
                         const std::function<Results()>& peer) {
      const double difference = verified("filter-bank", ours(), peer());
      auto row = time_pair(name, "composed", ours, peer, 5);
      row.how = "fft, H, ifft, square, pool";
      row.max_difference = difference;
      print_row(row);
      rows.push_back(row);
    };
    add("forward", forward, peer_forward);
    add("both ways", both_ways, peer_both_ways);
  }
  at::set_num_threads(1);
  tools::count_tensor_bytes();  // last: counting takes time
  const double least = most_memory(both_ways), peer = most_memory(peer_both_ways);
  std::printf("tensors of a step, at most: ours %.1f MiB, composed %.1f MiB (%.2f times)\n", least, peer,
              peer / least);
  write_json(rows, json);
}

}  // namespace optotorch::bench
