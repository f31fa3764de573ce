#include <ATen/ATen.h>
#include <optotorch/modules/simulated_system.h>
#include <optotorch/ops/photodetect.h>

namespace optotorch {

SimulatedSystem::SimulatedSystem(Chip chip) : PhysicalSystem(chip.layout()), chip_(std::move(chip)) {}

void SimulatedSystem::command(const at::Tensor& theta, const at::Tensor& phi, const at::Tensor& gamma) {
  commanded_ = {.theta = theta, .phi = phi};
  if (gamma.defined()) {
    commanded_.screen = gamma;
  }
  realised_ = {};
}

at::Tensor SimulatedSystem::read(const at::Tensor& x) {
  const auto options = x.options().dtype(c10::toRealValueType(x.scalar_type()));
  if (!realised_.theta.defined() || !realised_.theta.options().type_equal(options) ||
      realised_.theta.device() != x.device()) {
    // Offsets are added in float64, then rounded: a float32 command meets the same chip as a float64 one.
    const auto exact = chip_.realise(commanded_);
    const auto each = [&options](const std::optional<at::Tensor>& tensor) {
      return tensor ? std::optional<at::Tensor>(tensor->to(options)) : std::nullopt;
    };
    realised_ = {exact.theta.to(options), exact.phi.to(options), each(exact.screen),
                 each(exact.splitter_error), each(exact.transmission)};
  }
  return chip_.read_out(ops::photodetect(ops::mzi_mesh(x, realised_, layout())), measurements());
}

}  // namespace optotorch
