#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/mesh/haar.h>

#include <algorithm>
#include <numbers>

namespace optotorch {
namespace {

int64_t haar_rank(const MeshLayout& layout, int64_t column, int64_t port) {
  if (layout.grid == MeshGrid::triangular) {
    return port + 1;
  }
  const int64_t depth = std::min(layout.columns, layout.ports);
  const int64_t c = column % layout.ports;
  // The last repetition may be cut short: its columns keep the rank they have in a whole one.
  return std::min({2 * c + 1, 2 * (depth - c) - 1, 2 * port + 2, 2 * (layout.ports - port) - 2});
}

}  // namespace

at::Tensor haar_unitary(int64_t ports, std::optional<at::Generator> generator) {
  OPTOTORCH_CHECK(ports >= 1, .where = "haar_unitary", .argument = "ports", .expected = "at least 1",
                  .got = std::to_string(ports));
  const at::Tensor gaussian = at::randn({ports, ports}, generator, at::kComplexDouble);
  const auto [q, r] = at::linalg_qr(gaussian);
  // QR alone is unique up to the phases of R's diagonal, and those that LAPACK picks are not random.
  return q * at::sgn(r.diagonal());
}

MeshPhases haar_phases(const MeshLayout& layout, std::optional<at::Generator> generator) {
  layout.check("haar_phases");
  const int64_t mzis = layout.mzis();
  const at::Tensor rank = at::empty({mzis}, at::kDouble);
  double* next = rank.mutable_data_ptr<double>();
  for (int64_t column = 0; column < layout.columns; ++column) {
    for (int64_t pair = 0; pair < layout.pairs(column); ++pair) {
      *next++ = static_cast<double>(haar_rank(layout, column, MeshLayout::first_port(column) + 2 * pair));
    }
  }
  const auto uniform = [&](int64_t count) { return at::rand({count}, generator, at::kDouble); };
  // expm1 keeps the power that is not crossed over exact where it is small, at high ranks.
  const at::Tensor log_crossed = uniform(mzis).log() / rank;
  const at::Tensor crossed = (log_crossed / 2).exp();
  const at::Tensor kept = log_crossed.expm1().neg().sqrt();
  const bool cross = layout.zero_state == ZeroState::cross;
  constexpr double turn = 2 * std::numbers::pi;
  const at::Tensor theta = 2 * (cross ? at::atan2(kept, crossed) : at::atan2(crossed, kept));
  const at::Tensor phi = turn * uniform(mzis);
  return {.theta = theta, .phi = phi, .gamma = turn * uniform(layout.ports)};
}

}  // namespace optotorch
