#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <torch/arg.h>

#include <cstdint>

namespace optotorch {

/// Options for LaserReservoir: LaserReservoirOptions(784, 450).fill(.13).
struct LaserReservoirOptions {
  /// A reservoir with a stored T, without injection, coupling, drift or noise.
  LaserReservoirOptions(int64_t inputs, int64_t neurons) : inputs_(inputs), neurons_(neurons) {}

  /// Mirrors of the input modulator, 1 to 2^31.
  TORCH_ARG(int64_t, inputs);
  /// Modes of the laser that are read, 1 to 2^31; with a stored T at most 2^31 / inputs.
  TORCH_ARG(int64_t, neurons);
  /// Seed of the fibre and of the noise.
  TORCH_ARG(int64_t, seed) = 0;
  /// A mirror is on where its value is larger.
  TORCH_ARG(double, threshold) = 0.5;
  /// Part of the mirrors that are on in a usual frame: the mean intensity of the light that they send is then 1.
  /// Above 0, up to 1.
  TORCH_ARG(double, fill) = 0.5;
  /// Amplitude E0 of the injected light over the speckle's rms amplitude, at least 0.
  TORCH_ARG(double, injection) = 0;
  /// Intensity, over the mean one, at which the response has lost half of its rise; above 0.
  TORCH_ARG(double, saturation) = 3;
  /// Width of the coupling between neighbouring neurons: standard deviation of a Gaussian, in neurons, 0 (none) to
  /// 1000.
  TORCH_ARG(double, coupling) = 0;
  /// T is made anew, entry by entry, whenever it is multiplied, and never stored.
  TORCH_ARG(bool, streamed) = false;
  /// Part d of the field's amplitude that has drifted at any hour but 0: 0 to 1.
  TORCH_ARG(double, drift) = 0;
  /// Hour t of the readings, at least 0.
  TORCH_ARG(double, hours) = 0;
  /// Standard deviation of a reading's noise in training mode, over the mean intensity; at least 0.
  TORCH_ARG(double, noise) = 0;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("inputs", inputs_);
    visit("neurons", neurons_);
    visit("seed", seed_);
    visit("threshold", threshold_);
    visit("fill", fill_);
    visit("injection", injection_);
    visit("saturation", saturation_);
    visit("coupling", coupling_);
    visit("streamed", streamed_);
    visit("drift", drift_);
    visit("hours", hours_);
    visit("noise", noise_);
  }
};

/// A multimode laser as a reservoir: real values [batch, inputs] -> readings [batch, neurons]. A binary modulator
/// shows a frame, a multimode fibre mixes it, the laser saturates, and detectors read:
///
///     u = 1 where value > threshold, else 0          E = T u / sqrt(fill inputs) + E0
///     I = |E|^2 / (1 + E0^2)                         x = I / (1 + I / saturation) + noise xi
///
/// T has independent complex normal entries of variance 1 (ops::random_projection), from `seed`; with `coupling` c
/// row i is the sum over j of exp(-(i - j)^2 / 2 c^2) T_j, over the root of the sum of its squares. It drifts:
///
///     T(t) = sqrt(1 - d^2) T_0 + d T_1(t),           T(0) = T_0
///
/// T_1 of every hour t is independent of all others, a pure function of (seed, t): frames at two such hours have
/// fields of correlation 1 - d^2.
///
/// Nothing in it learns. The pull-back of the input goes straight through the threshold, as if u were the value.
/// Stored, T is the buffer `transmission` [2 neurons, inputs], real parts above imaginary ones, over the root of
/// (fill inputs); streamed, it takes no memory, has the same entries and cannot be deployed. Readings in training
/// mode are counted in the buffer `readings` if there is noise. Throws c10::ValueError for input of another shape
/// or that is not finite. Source: Skalli et al., arXiv 2409.01042; the formulas are our reading.
class LaserReservoirImpl : public CloneableLayer<LaserReservoirImpl> {
 public:
  /// A reservoir with a stored T, without injection, coupling, drift or noise.
  LaserReservoirImpl(int64_t inputs, int64_t neurons)
      : LaserReservoirImpl(LaserReservoirOptions(inputs, neurons)) {}
  /// Throws c10::ValueError for options out of their ranges.
  explicit LaserReservoirImpl(LaserReservoirOptions options);

  /// Moves to another time, in hours: finite and at least 0.
  void set_hours(double hours);

  Role role() const override { return Role::component; }
  Deployment deploy() override;
  Footprint footprint() const override;

  /// The options it was made from, except for the hour, which `set_hours` changes.
  LaserReservoirOptions options;
  torch::Tensor transmission;  ///< undefined if it is streamed
  torch::Tensor readings;      ///< int64 scalar

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor evaluate(const torch::Tensor& x) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
  std::vector<torch::Tensor> read_by_pullback(const Pass& pass) const override;

 private:
  torch::Tensor streamed_field(const torch::Tensor& u) const;
  torch::Tensor field(const torch::Tensor& x) const;
};

TORCH_MODULE(LaserReservoir);

}  // namespace optotorch
