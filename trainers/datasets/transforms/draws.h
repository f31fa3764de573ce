#pragma once

// Random numbers as LibTorch draws them, without a tensor for each.

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace at {
struct CPUGeneratorImpl;
}

namespace optotorch::transforms {

/// The numbers that a random transform draws, one after the other, from a generator of LibTorch's. Every
/// member function gives, to the bit, what the PyTorch call beside it gives, and leaves the generator as that
/// leaves it. As with LibTorch's own functions, each draw locks the generator.
class Draws {
 public:
  /// Draws from `generator`; without one, from LibTorch's default generator of the CPU, which
  /// torch::manual_seed seeds. Throws c10::ValueError for a generator of another device.
  explicit Draws(std::optional<at::Generator> generator = std::nullopt);

  /// torch.rand(1).item(), in [0, 1).
  float unit();

  /// torch.empty(1).uniform_(from, to).item(), from <= to: a float32, widened.
  double uniform(double from, double to);

  /// torch.randint(from, to, (1,)).item(), from < to: `from` to `to` - 1.
  int64_t integer(int64_t from, int64_t to);

  /// torch.randperm(count).tolist().
  std::vector<int64_t> permutation(int64_t count);

  /// torch.empty(sizes).normal_(), float32.
  at::Tensor normal(at::IntArrayRef sizes);

  /// torch.rand(1) < p: Python compares a tensor with a number in the tensor's type, float32.
  bool below(double p) { return unit() < static_cast<float>(p); }

  /// torch.rand(1).item() < p: numbers are compared in float64.
  bool item_below(double p) { return static_cast<double>(unit()) < p; }

 private:
  at::Generator generator_;
  at::CPUGeneratorImpl* engine_;
};

}  // namespace optotorch::transforms
