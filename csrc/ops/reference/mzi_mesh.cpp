// One column after the other, one tensor operator after the other: slow, and plainly what mzi_mesh.h says.

#include <ATen/ATen.h>
#include <optotorch/ops/mzi_mesh.h>

#include <array>
#include <numbers>
#include <vector>

namespace optotorch::ops {
namespace {

constexpr c10::complex<double> i{0, 1};

at::Tensor phase_factor(const at::Tensor& angle) {
  return (angle * i).exp();
}

/// B(e) of every MZI: its diagonal and off-diagonal element.
std::array<at::Tensor, 2> splitter(const at::Tensor& e) {
  return {((1 + e) / 2).sqrt(), ((1 - e) / 2).sqrt() * i};
}

}  // namespace

at::Tensor mzi_mesh_reference(const at::Tensor& input, const MeshTensors& mesh, const MeshLayout& layout) {
  check_mzi_mesh(input, mesh, layout);
  check_mzi_mesh_values(mesh);
  return mzi_mesh_reference_unchecked(input, mesh, layout);
}

at::Tensor mzi_mesh_reference_unchecked(const at::Tensor& input, const MeshTensors& mesh,
                                        const MeshLayout& layout) {
  if (input.dim() == 3) {
    std::vector<at::Tensor> outputs;
    for (int64_t m = 0; m < input.size(1); ++m) {
      const auto own = [m](const std::optional<at::Tensor>& tensor) {
        return tensor ? std::optional<at::Tensor>(tensor->select(0, m)) : std::nullopt;
      };
      const MeshTensors one{mesh.theta.select(0, m), mesh.phi.select(0, m), own(mesh.screen),
                            own(mesh.splitter_error), own(mesh.transmission)};
      outputs.push_back(mzi_mesh_reference_unchecked(input.select(1, m), one, layout));
    }
    return at::stack(outputs, 1);
  }
  const auto zeros = at::zeros_like(mesh.theta);
  const auto error_left = mesh.splitter_error ? mesh.splitter_error->select(1, 0) : zeros;
  const auto error_right = mesh.splitter_error ? mesh.splitter_error->select(1, 1) : zeros;
  const auto t_upper = mesh.transmission ? mesh.transmission->select(1, 0) : zeros + 1;
  const auto t_lower = mesh.transmission ? mesh.transmission->select(1, 1) : zeros + 1;
  const auto half = (layout.zero_state == ZeroState::bar ? mesh.theta + std::numbers::pi : mesh.theta) / 2;

  // Cut into columns at once: autograd would fill a whole gradient for every piece that is narrowed out.
  std::vector<int64_t> pairs_of;
  for (int64_t column = 0; column < layout.columns; ++column) {
    pairs_of.push_back(layout.pairs(column));
  }
  const auto by_column = [&](const at::Tensor& per_mzi) { return per_mzi.split_with_sizes(pairs_of); };
  const auto left = splitter(error_left), right = splitter(error_right);
  const auto left_through = by_column(left[0]), left_cross = by_column(left[1]);
  const auto right_through = by_column(right[0]), right_cross = by_column(right[1]);
  const auto arm_upper = by_column(t_upper * phase_factor(half));
  const auto arm_lower = by_column(t_lower * phase_factor(-half));
  const auto outer = by_column(phase_factor(mesh.phi));
  const auto idle = layout.idle_port == IdlePort::wire ? c10::complex<double>{1, 0} : -i;

  auto x = input;
  if (mesh.screen && layout.phi_arm == PhiArm::output) {
    x = x * phase_factor(*mesh.screen);
  }
  for (int64_t column = 0; column < layout.columns; ++column) {
    const int64_t first = MeshLayout::first_port(column);
    const int64_t pairs = layout.pairs(column);
    const auto here = [column](const std::vector<at::Tensor>& columns) {
      return columns[static_cast<size_t>(column)];
    };

    const auto block = x.narrow(1, first, 2 * pairs).unflatten(1, {pairs, 2});
    auto upper = block.select(2, 0);
    auto lower = block.select(2, 1);
    if (layout.phi_arm == PhiArm::input) {
      upper = here(outer) * upper;
    }
    const auto inner_upper = here(arm_upper) * (here(left_through) * upper + here(left_cross) * lower);
    const auto inner_lower = here(arm_lower) * (here(left_cross) * upper + here(left_through) * lower);
    upper = here(right_through) * inner_upper + here(right_cross) * inner_lower;
    lower = here(right_cross) * inner_upper + here(right_through) * inner_lower;
    if (layout.phi_arm == PhiArm::output) {
      upper = here(outer) * upper;
    }
    const int64_t below = first + 2 * pairs;
    x = at::cat({x.narrow(1, 0, first) * idle, at::stack({upper, lower}, 2).flatten(1),
                 x.narrow(1, below, layout.ports - below) * idle},
                1);
  }
  if (mesh.screen && layout.phi_arm == PhiArm::input) {
    x = x * phase_factor(*mesh.screen);
  }
  return x;
}

}  // namespace optotorch::ops
