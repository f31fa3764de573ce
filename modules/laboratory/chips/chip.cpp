#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/core/random_pairs.h>
#include <optotorch/modules/laboratory/chips/chip.h>
#include <optotorch/modules/laboratory/chips/drift.h>
#include <optotorch/modules/laboratory/chips/heaters.h>

#include <cmath>

namespace optotorch {
namespace {

constexpr char in_chip[] = "Chip";

/// Streams of the seed; the counter is the number of the MZI, or of the reading.
struct ChipStream {
  enum : uint64_t { splitters, phases, readings, drift };
};

void check(const char* argument, const at::Tensor& tensor, at::IntArrayRef shape) {
  OPTOTORCH_CHECK(tensor.defined() && tensor.scalar_type() == at::kDouble && tensor.sizes() == shape,
                  .where = in_chip, .argument = argument, .expected = c10::str("float64 ", shape),
                  .got = describe(tensor));
  check_finite(in_chip, argument, tensor);
}

void check_within(const char* argument, const at::Tensor& tensor, bool within, const char* range) {
  OPTOTORCH_CHECK(within, .where = in_chip, .argument = argument,
                  .expected = std::string("values in ") + range,
                  .got = c10::str(tensor.min().item<double>(), " to ", tensor.max().item<double>()));
}

ChipTensors copy(const ChipTensors& tensors) {
  const auto each = [](const at::Tensor& tensor) { return tensor.detach().to(at::kCPU).clone(); };
  return {each(tensors.theta_offset), each(tensors.phi_offset), each(tensors.splitter_error),
          each(tensors.transmission)};
}

}  // namespace

Chip::Chip(const MeshLayout& layout, const Imperfections& imperfections, int64_t seed)
    : layout_(layout), imperfections_(imperfections), seed_(seed) {
  layout.check(in_chip);
  check_imperfections(in_chip, imperfections);
  const int64_t mzis = layout.mzis();
  const auto offsets = normal_pairs(seed, ChipStream::phases, 0, mzis) * imperfections.phase_error();
  tensors_.theta_offset = offsets.select(1, 0).contiguous();
  tensors_.phi_offset = offsets.select(1, 1).contiguous();
  tensors_.splitter_error =
      (normal_pairs(seed, ChipStream::splitters, 0, mzis) * imperfections.splitter_error()).clamp_(-1, 1);
  tensors_.transmission = at::full({mzis, 2}, std::pow(10.0, -imperfections.loss_db() / 20), at::kDouble);
}

Chip::Chip(const MeshLayout& layout, const ChipTensors& tensors, const Imperfections& imperfections,
           int64_t seed)
    : layout_(layout), imperfections_(imperfections), seed_(seed) {
  layout.check(in_chip);
  check_imperfections(in_chip, imperfections);
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

Chip Chip::at(double hours) const {
  check_hours("Chip::at", hours);
  Chip later = *this;
  later.hours_ = hours;
  later.drift_ = at::Tensor();
  if (hours > 0 && imperfections_.drift() > 0) {
    later.drift_ = wiener_pairs(seed_, ChipStream::drift, hours, layout_.mzis()).mul_(imperfections_.drift());
  }
  return later;
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
  const auto delivered = [&](const at::Tensor& phases, const at::Tensor& offset, int64_t which,
                             double period) {
    auto sum = heater_phases(phases, layout_, imperfections_, period) + offset.to(phases.device());
    if (drift_.defined()) {
      sum = sum + drift_.select(1, which).to(phases.device());
    }
    return sum.to(options);
  };
  return {delivered(commanded.theta, tensors_.theta_offset, 0, theta_period),
          delivered(commanded.phi, tensors_.phi_offset, 1, phi_period), commanded.screen,
          unless(tensors_.splitter_error, 0), unless(tensors_.transmission, 1)};
}

at::Tensor Chip::read_out(const at::Tensor& intensity, int64_t first_sample) const {
  return noisy_readings(intensity, imperfections_, seed_, ChipStream::readings, first_sample);
}

at::Tensor noisy_readings(const at::Tensor& ideal, Imperfections imperfections, int64_t seed, uint64_t stream,
                          int64_t first_sample) {
  const double relative = imperfections.relative_noise(), additive = imperfections.additive_noise();
  if (relative == 0 && additive == 0) {
    return ideal;
  }
  const int64_t each = c10::multiply_integers(ideal.sizes().slice(1));
  const auto xi = normal_pairs(seed, stream, first_sample * each, ideal.numel()).to(ideal.options());
  return ideal * (1 + relative * xi.select(1, 0).reshape(ideal.sizes())) +
         additive * xi.select(1, 1).reshape(ideal.sizes());
}

}  // namespace optotorch
