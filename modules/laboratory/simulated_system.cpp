#include <ATen/ATen.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/ops/photodetect.h>

#include <optional>
#include <utility>

namespace optotorch {
namespace {

std::vector<MeshLayout> layouts_of(const std::vector<Chip>& chips) {
  std::vector<MeshLayout> layouts;
  for (const auto& chip : chips) {
    layouts.push_back(chip.layout());
  }
  return layouts;
}

}  // namespace

SimulatedSystem::SimulatedSystem(Chip chip) : SimulatedSystem(std::vector<Chip>{std::move(chip)}) {}

SimulatedSystem::SimulatedSystem(std::vector<Chip> chips, const SimulatedSystemOptions& options)
    : PhysicalSystem(layouts_of(chips), options.monitors()),
      chips_(std::move(chips)),
      activation_(options.activation()) {}

void SimulatedSystem::set_time(double hours) {
  std::vector<Chip> then;
  for (const auto& chip : chips_) {
    then.push_back(chip.at(hours));
  }
  chips_ = std::move(then);
  realised_.clear();
}

void SimulatedSystem::command(const std::vector<MeshPhases>& phases) {
  commanded_ = phases;
  realised_.clear();
}

void SimulatedSystem::realise(const at::TensorOptions& options) {
  if (!realised_.empty() && realised_.front().theta.options().type_equal(options) &&
      realised_.front().theta.device() == options.device()) {
    return;
  }
  const auto each = [&options](const std::optional<at::Tensor>& tensor) {
    return tensor ? std::optional<at::Tensor>(tensor->to(options)) : std::nullopt;
  };
  realised_.clear();
  for (size_t m = 0; m < chips_.size(); ++m) {
    ops::MeshTensors commanded{.theta = commanded_[m].theta, .phi = commanded_[m].phi};
    if (commanded_[m].gamma.defined()) {
      commanded.screen = commanded_[m].gamma;
    }
    // Offsets are added in float64, then rounded: a float32 command meets the same chip as a float64 one.
    const auto exact = chips_[m].realise(commanded);
    realised_.push_back({exact.theta.to(options), exact.phi.to(options), each(exact.screen),
                         each(exact.splitter_error), each(exact.transmission)});
  }
}

std::vector<at::Tensor> SimulatedSystem::read(const at::Tensor& x) {
  realise(x.options().dtype(c10::toRealValueType(x.scalar_type())));
  std::vector<at::Tensor> readings;
  auto field = x;
  for (size_t m = 0; m < chips_.size(); ++m) {
    if (m > 0 && activation_ != nullptr) {
      field = activation_->forward(field);
    }
    field = ops::mzi_mesh(field, realised_[m], layouts()[m]);
    if (has_monitors() || m + 1 == chips_.size()) {
      readings.push_back(chips_[m].read_out(ops::photodetect(field), measurements()));
    }
  }
  return readings;
}

}  // namespace optotorch
