#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/chips/chip_stack.h>

#include <optional>

namespace optotorch {
namespace {

constexpr char in_realise[] = "realise";

/// `tensor` [chips, length], or [length] for all of them.
at::Tensor of_each(const char* argument, const at::Tensor& tensor, int64_t chips, int64_t length) {
  const bool all = tensor.defined() && tensor.sizes() == at::IntArrayRef({length});
  OPTOTORCH_CHECK((all || (tensor.defined() && tensor.sizes() == at::IntArrayRef({chips, length}))) &&
                      (tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kDouble),
                  .where = in_realise, .argument = argument,
                  .expected = c10::str("float32 or float64 [", chips, ", ", length, "] or [", length, "]"),
                  .got = describe(tensor));
  return tensor.expand({chips, length});
}

/// One row a chip; what only some chips have is `ideal` in the others.
std::optional<at::Tensor> stack_if_any(const std::vector<ops::MeshTensors>& realised,
                                       std::optional<at::Tensor> ops::MeshTensors::*which, double ideal) {
  at::Tensor like;
  for (const auto& mesh : realised) {
    if (mesh.*which) {
      like = *(mesh.*which);
    }
  }
  if (!like.defined()) {
    return std::nullopt;
  }
  std::vector<at::Tensor> rows;
  for (const auto& mesh : realised) {
    rows.push_back(mesh.*which ? *(mesh.*which) : at::full_like(like, ideal));
  }
  return at::stack(rows);
}

}  // namespace

ops::MeshTensors realise(const std::vector<Chip>& chips, const ops::MeshTensors& commanded) {
  OPTOTORCH_CHECK(!chips.empty(), .where = in_realise, .argument = "chips", .expected = "at least one",
                  .got = "none");
  const auto& layout = chips.front().layout();
  for (size_t c = 0; c < chips.size(); ++c) {
    OPTOTORCH_CHECK(chips[c].layout() == layout, .where = in_realise, .argument = "chips",
                    .expected = "chips of one layout", .got = c10::str("another for number ", c),
                    .remedy = "Realise chips of different layouts one by one");
  }
  const auto count = static_cast<int64_t>(chips.size());
  const auto theta = of_each("theta", commanded.theta, count, layout.mzis()),
             phi = of_each("phi", commanded.phi, count, layout.mzis());
  std::vector<ops::MeshTensors> realised;
  std::vector<at::Tensor> thetas, phis;
  for (int64_t c = 0; c < count; ++c) {
    realised.push_back(chips[static_cast<size_t>(c)].realise({.theta = theta[c], .phi = phi[c]}));
    thetas.push_back(realised.back().theta);
    phis.push_back(realised.back().phi);
  }
  ops::MeshTensors stack{.theta = at::stack(thetas),
                         .phi = at::stack(phis),
                         .splitter_error = stack_if_any(realised, &ops::MeshTensors::splitter_error, 0),
                         .transmission = stack_if_any(realised, &ops::MeshTensors::transmission, 1)};
  if (commanded.screen) {
    stack.screen = of_each("screen", *commanded.screen, count, layout.ports).contiguous();
  }
  return stack;
}

}  // namespace optotorch
