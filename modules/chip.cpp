#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <optotorch/core/check.h>
#include <optotorch/core/random.h>
#include <optotorch/modules/chip.h>

#include <cmath>

namespace optotorch {
namespace {

constexpr char where[] = "Chip";

/// Streams of the seed; the counter is the number of the MZI, or of the reading.
enum Stream : uint64_t { splitters, phases, readings };

/// Row n holds the standard normal pair number first + n, float64 [count, 2].
at::Tensor normal_pairs(int64_t seed, Stream stream, int64_t first, int64_t count) {
  const auto pairs = at::empty({count, 2}, at::kDouble);
  auto* out = pairs.mutable_data_ptr<double>();
  constexpr int64_t grain = 1 << 12;
  at::parallel_for(0, count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const auto [a, b] = normal_pair(static_cast<uint64_t>(seed), stream, static_cast<uint64_t>(first + n));
      out[2 * n] = a;
      out[2 * n + 1] = b;
    }
  });
  return pairs;
}

void check_range(const char* argument, double value, double most) {
  OPTOTORCH_CHECK(value >= 0 && value <= most, .where = where, .argument = argument,
                  .expected = c10::str("0 to ", most), .got = c10::str(value), .remedy = "");
}

void check(const Imperfections& imperfections) {
  check_range("splitter_error", imperfections.splitter_error(), 1);
  check_range("phase_error", imperfections.phase_error(), 100);
  check_range("loss_db", imperfections.loss_db(), 100);
  check_range("relative_noise", imperfections.relative_noise(), 1e6);
  check_range("additive_noise", imperfections.additive_noise(), 1e6);
}

void check(const char* argument, const at::Tensor& tensor, at::IntArrayRef shape) {
  OPTOTORCH_CHECK(tensor.defined() && tensor.scalar_type() == at::kDouble && tensor.sizes() == shape,
                  .where = where, .argument = argument, .expected = c10::str("float64 ", shape),
                  .got = describe(tensor), .remedy = "");
  check_finite(where, argument, tensor);
}

void check_within(const char* argument, const at::Tensor& tensor, bool within, const char* range) {
  OPTOTORCH_CHECK(within, .where = where, .argument = argument, .expected = std::string("values in ") + range,
                  .got = c10::str(tensor.min().item<double>(), " to ", tensor.max().item<double>()),
                  .remedy = "");
}

ChipTensors copy(const ChipTensors& tensors) {
  const auto each = [](const at::Tensor& tensor) { return tensor.detach().to(at::kCPU).clone(); };
  return {each(tensors.theta_offset), each(tensors.phi_offset), each(tensors.splitter_error),
          each(tensors.transmission)};
}

}  // namespace

Chip::Chip(const MeshLayout& layout, const Imperfections& imperfections, int64_t seed)
    : layout_(layout), imperfections_(imperfections), seed_(seed) {
  layout.check(where);
  check(imperfections);
  const int64_t mzis = layout.mzis();
  const auto offsets = normal_pairs(seed, Stream::phases, 0, mzis) * imperfections.phase_error();
  tensors_.theta_offset = offsets.select(1, 0).contiguous();
  tensors_.phi_offset = offsets.select(1, 1).contiguous();
  tensors_.splitter_error =
      (normal_pairs(seed, Stream::splitters, 0, mzis) * imperfections.splitter_error()).clamp_(-1, 1);
  tensors_.transmission = at::full({mzis, 2}, std::pow(10.0, -imperfections.loss_db() / 20), at::kDouble);
}

Chip::Chip(const MeshLayout& layout, const ChipTensors& tensors, const Imperfections& imperfections)
    : layout_(layout), imperfections_(imperfections) {
  layout.check(where);
  check(imperfections);
  const int64_t mzis = layout.mzis();
  check("theta_offset", tensors.theta_offset, {mzis});
  check("phi_offset", tensors.phi_offset, {mzis});
  check("splitter_error", tensors.splitter_error, {mzis, 2});
  check("transmission", tensors.transmission, {mzis, 2});
  check_within("splitter_error", tensors.splitter_error,
               tensors.splitter_error.abs().le(1).all().item<bool>(), "[-1, 1]");
  check_within("transmission", tensors.transmission,
               (tensors.transmission.gt(0) & tensors.transmission.le(1)).all().item<bool>(), "(0, 1]");
  tensors_ = copy(tensors);
}

ChipTensors Chip::tensors() const {
  return copy(tensors_);
}

ops::MeshTensors Chip::realise(const ops::MeshTensors& commanded) const {
  const auto options = commanded.theta.options();
  // Without errors an ideal mesh: the same bits as the model's, and the faster kernel.
  const auto unless = [&options](const at::Tensor& tensor, double ideal) {
    return tensor.eq(ideal).all().item<bool>() ? std::nullopt : std::optional<at::Tensor>(tensor.to(options));
  };
  return {(commanded.theta + tensors_.theta_offset.to(commanded.theta.device())).to(options),
          (commanded.phi + tensors_.phi_offset.to(commanded.phi.device())).to(options), commanded.screen,
          unless(tensors_.splitter_error, 0), unless(tensors_.transmission, 1)};
}

at::Tensor Chip::read_out(const at::Tensor& intensity, int64_t first_sample) const {
  const double relative = imperfections_.relative_noise(), additive = imperfections_.additive_noise();
  if (relative == 0 && additive == 0) {
    return intensity;
  }
  const int64_t ports = intensity.size(1);
  const auto xi = normal_pairs(seed_, Stream::readings, first_sample * ports, intensity.numel())
                      .view({-1, ports, 2})
                      .to(intensity.options());
  return intensity * (1 + relative * xi.select(2, 0)) + additive * xi.select(2, 1);
}

}  // namespace optotorch
