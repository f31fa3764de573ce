#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/corrections/linear_correction.h>

namespace optotorch {

LinearCorrection::LinearCorrection(int64_t ports, bool is_real)
    : CorrectionBehind("LinearCorrection"), is_real_(is_real) {
  OPTOTORCH_CHECK(ports >= 1 && ports <= 65536, .where = name(), .argument = "ports",
                  .expected = "1 to 65536", .got = std::to_string(ports));
  matrix = register_real("matrix", is_real ? torch::zeros({ports, ports}) : torch::zeros({ports, ports, 2}));
}

LinearCorrection::LinearCorrection(const StageDesign& design)
    : LinearCorrection(c10::multiply_integers(design.output), !design.delivers_field) {}

torch::Tensor LinearCorrection::map() const {
  return is_real_ ? matrix : at::view_as_complex(matrix);
}

void LinearCorrection::constrain() {
  if (is_real_) {
    return;
  }
  const torch::NoGradGuard no_grad;
  auto map = this->map();
  auto diagonal = map.diagonal();
  diagonal.add_(1);
  const auto size = at::abs(diagonal);
  const auto turn = at::where(size > 0, diagonal.conj() / size.clamp_min(1e-30), at::ones_like(diagonal));
  map.mul_(turn.unsqueeze(1));
  diagonal.sub_(1);
}

torch::Tensor LinearCorrection::difference(const torch::Tensor& u) {
  const auto flat = u.flatten(1);
  OPTOTORCH_CHECK(flat.size(1) == matrix.size(0) && u.is_complex() != is_real_, .where = name(),
                  .argument = "mesh",
                  .expected = c10::str("a stage of ", matrix.size(0), is_real_ ? " values" : " ports",
                                       ", those of the correction"),
                  .got = describe(u));
  return flat.mm(map().t()).view(u.sizes());
}

torch::Tensor LinearCorrection::pull_difference(const torch::Tensor& u, const torch::Tensor& dL_dd,
                                                bool learns, bool to_u) {
  const auto signal = dL_dd.flatten(1);
  if (learns) {
    // dL_dC = g u^H of each sample.
    const auto dL_dmap = signal.t().mm(u.flatten(1).conj()).resolve_conj();
    Layer::accumulate(matrix, is_real_ ? dL_dmap : at::view_as_real(dL_dmap));
  }
  return to_u ? signal.mm(map().conj()).view(u.sizes()) : torch::Tensor();
}

}  // namespace optotorch
