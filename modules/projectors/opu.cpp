#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/PhiloxRNGEngine.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/projectors/opu.h>
#include <optotorch/ops/random_projection.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>

namespace optotorch {
namespace {

constexpr int64_t grain = 1 << 12;
constexpr const char* exposures_name = "exposures";
constexpr int64_t most_exposures = int64_t{1} << 44;  // above a pixel's 2^20 counters
constexpr int64_t camera = 0x43616d657261;            // the noise's seed is another one than the medium's

/// As the standard library's distributions want their engines.
class PixelRandom {
 public:
  using result_type = uint32_t;
  PixelRandom(int64_t seed, int64_t pixel, int64_t exposure)
      : engine_(static_cast<uint64_t>(seed), static_cast<uint64_t>(pixel),
                static_cast<uint64_t>(exposure) << 20) {}
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
  result_type operator()() { return engine_(); }

 private:
  at::Philox4_32 engine_;
};

/// xi ~ N(0, 1) [batch, rows] of an exposure: entries of a matrix of its own, as many samples at a time as
/// cost little to be asked for.
torch::Tensor noise(int64_t seed, int64_t exposure, int64_t batch, int64_t first_row, int64_t rows) {
  constexpr int64_t together = 256;
  // Odd, so that no two exposures share a seed, nor neighbours that of some samples.
  constexpr uint64_t spread = 0x9E3779B97F4A7C15, across = 0xD1B54A32D192ED03;
  const auto of_exposure =
      static_cast<uint64_t>(seed ^ camera) ^ (static_cast<uint64_t>(exposure) + 1) * spread;
  auto xi = at::empty({batch, rows}, at::kFloat);
  for (int64_t first = 0; first < batch; first += together) {
    const int64_t count = std::min(together, batch - first);
    const auto units = at::eye(count, at::kChar);
    const auto of_samples =
        static_cast<int64_t>(of_exposure ^ static_cast<uint64_t>(first / together) * across);
    xi.narrow(0, first, count)
        .copy_(ops::random_projection(units, rows, of_samples, ops::Entries::normal, first_row));
  }
  return xi;
}

/// The camera's reading of intensities whose mean is `mean` (of every sample).
torch::Tensor read(const OpuOptions& options, const torch::Tensor& intensity, const torch::Tensor& mean,
                   int64_t exposure) {
  const double full = options.saturation(), levels = std::exp2(static_cast<double>(options.bits())) - 1;
  auto reading = intensity.contiguous().clone();
  auto* values = reading.mutable_data_ptr<float>();
  const auto* means = mean.const_data_ptr<float>();
  const int64_t rows = intensity.size(1);
  at::parallel_for(0, reading.numel(), grain, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const double unit = means[n / rows];
      if (unit == 0) {
        continue;
      }
      PixelRandom random(options.seed() ^ camera, n, exposure);
      std::poisson_distribution<int64_t> counts(std::max(values[n] / unit * options.photons(), 1e-12));
      double level = std::min(static_cast<double>(counts(random)) / options.photons(), full);
      if (options.bits() > 0) {
        level = std::round(level / full * levels) / levels * full;
      }
      values[n] = static_cast<float>(level * unit);
    }
  });
  return reading;
}

}  // namespace

Opu::Opu(OpuOptions options_) : Projector(options_.rows(), options_.columns()), options(options_) {
  const auto within = [](const char* argument, double value, double least, double most) {
    OPTOTORCH_CHECK(value >= least && value <= most, .where = "Opu", .argument = argument,
                    .expected = c10::str(least, " to ", most), .got = c10::str(value));
  };
  within("sigma", options.sigma(), 0, 100);
  within("photons", options.photons(), 1, 1e9);
  within("bits", static_cast<double>(options.bits()), 0, 16);
  within("reference", options.reference(), 0.01, 100);
  within("saturation", options.saturation(), 1, 1000);
}

std::map<std::string, torch::Tensor> Opu::state() const {
  return {{exposures_name, at::scalar_tensor(exposures_, at::kLong)}};
}

void Opu::load_state(const std::map<std::string, torch::Tensor>& state) {
  const auto found = state.find(exposures_name);
  OPTOTORCH_CHECK(
      found != state.end() && found->second.numel() == 1 && found->second.scalar_type() == at::kLong,
      .where = name(), .argument = "state", .expected = "exposures: an int64 scalar",
      .got = found == state.end() ? "none" : describe(found->second),
      .remedy = "The state is of another projector");
  const auto exposures = found->second.item<int64_t>();
  OPTOTORCH_CHECK(exposures >= 0 && exposures <= most_exposures, .where = name(), .argument = "exposures",
                  .expected = "0 to 2^44", .got = c10::str(exposures), .remedy = "Is the file damaged?");
  exposures_ = exposures;
}

torch::Tensor Opu::field(const torch::Tensor& binary, int64_t first_row, int64_t rows) const {
  return ops::random_projection(binary, rows, options.seed(), ops::Entries::complex_normal, first_row);
}

torch::Tensor Opu::holography(const torch::Tensor& binary, int64_t first_row, int64_t rows,
                              int64_t exposure) const {
  const auto on = binary.to(at::kFloat).sum(1, /*keepdim=*/true);
  const auto e = field(binary, first_row, rows);
  const auto r = on.sqrt().mul_(options.reference());
  const auto mean = (on * (1 + options.reference() * options.reference())).contiguous();
  const auto in_phase = read(options, at::abs(e + r).square(), mean, exposure);
  const auto opposed = read(options, at::abs(e - r).square(), mean, exposure + 1);
  return (in_phase - opposed) / (4 * r).clamp_min(std::numeric_limits<float>::min());
}

torch::Tensor Opu::speckle(const torch::Tensor& binary) {
  OPTOTORCH_CHECK(binary.defined() && binary.scalar_type() == at::kChar && binary.dim() == 2 &&
                      binary.size(0) >= 1 && binary.size(1) == columns(),
                  .where = name(), .argument = "binary",
                  .expected = c10::str("int8 [batch, ", columns(), "]"), .got = describe(binary));
  OPTOTORCH_CHECK(
      binary.ge(0).logical_and(binary.le(1)).all().item<bool>() && binary.any(1).all().item<bool>(),
      .where = name(), .argument = "binary", .expected = "0 and 1, at least one pixel of every frame lit",
      .got = "others");
  const auto intensity = at::abs(field(binary, 0, rows())).square();
  return intensity / binary.to(at::kFloat).sum(1, /*keepdim=*/true);
}

torch::Tensor Opu::compute(const torch::Tensor& x, int64_t first_row, int64_t rows) {
  OPTOTORCH_CHECK(x.scalar_type() == at::kChar, .where = name(), .argument = "x",
                  .expected = "ternary int8: the modulator has two states", .got = describe(x),
                  .remedy = "Encode it by TernaryFrames");
  if (!x.is_cpu()) {  // a frame reaches the modulator from the machine that drives it
    return compute(x.cpu(), first_row, rows).to(x.device());
  }
  // Two exposures of each of two frames.
  const int64_t exposure = exposures_;
  exposures_ += 4;
  if (options.model() == OpuModel::camera) {
    const auto shown = [&](int8_t value, int64_t number) {
      return holography(x.eq(value).to(at::kChar), first_row, rows, number);
    };
    return (shown(1, exposure) - shown(-1, exposure + 2)) * std::numbers::sqrt2;
  }
  auto s = (at::real(field(x, first_row, rows)) * std::numbers::sqrt2).contiguous();
  if (options.model() == OpuModel::noisy && options.sigma() > 0) {
    const auto size = x.to(at::kFloat).abs().sum(1, /*keepdim=*/true).sqrt().mul_(options.sigma());
    s.addcmul_(size, noise(options.seed(), exposure, x.size(0), first_row, rows));
  }
  return s;
}

}  // namespace optotorch
