#include <ATen/ATen.h>
#include <optotorch/modules/laboratory/chips/heaters.h>

#include <cmath>
#include <numbers>

namespace optotorch {
namespace {

at::Tensor wrap(const at::Tensor& phases, double period) {
  const auto wrapped = phases.remainder(period);
  return at::where(wrapped.lt(period), wrapped, 0.0);  // -1e-20 is rounded to the period
}

at::Tensor quantise(const at::Tensor& phases, int64_t bits, double period) {
  const double turn = 2 * std::numbers::pi, step = std::ldexp(turn, -static_cast<int>(bits));
  const double levels = std::ldexp(period / turn, static_cast<int>(bits));
  return (phases / step).round_().remainder_(levels).mul_(step);
}

/// Element i tells whether MZIs i and i + 1 are neighbours: 1 or 0, float64 [mzis - 1].
at::Tensor neighbours(const MeshLayout& layout) {
  auto together = at::ones({layout.mzis()}, at::kDouble);
  auto* out = together.mutable_data_ptr<double>();
  int64_t end = 0;
  for (int64_t column = 0; column < layout.columns; ++column) {
    end += layout.pairs(column);
    if (end > 0) {
      out[end - 1] = 0;
    }
  }
  return together.narrow(0, 0, together.numel() - 1);
}

at::Tensor leak(const at::Tensor& phases, const MeshLayout& layout, double crosstalk) {
  const int64_t pairs = phases.size(-1) - 1;
  const auto part = neighbours(layout).to(phases.device()) * crosstalk;
  auto sum = phases.clone();
  sum.narrow(-1, 1, pairs).add_(part * phases.narrow(-1, 0, pairs));
  sum.narrow(-1, 0, pairs).add_(part * phases.narrow(-1, 1, pairs));
  return sum;
}

}  // namespace

at::Tensor heater_phases(const at::Tensor& commanded, const MeshLayout& layout,
                         const Imperfections& imperfections, double period) {
  if (imperfections.crosstalk() == 0 && imperfections.phase_bits() == 0) {
    return commanded;
  }
  auto phases = wrap(commanded.to(at::kDouble), period);
  if (imperfections.phase_bits() > 0) {
    phases = quantise(phases, imperfections.phase_bits(), period);
  }
  return imperfections.crosstalk() > 0 ? leak(phases, layout, imperfections.crosstalk()) : phases;
}

}  // namespace optotorch
