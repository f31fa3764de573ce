#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/corrections/linear_correction.h>

namespace optotorch {

LinearCorrection::LinearCorrection(int64_t ports) : CorrectionBehind("LinearCorrection") {
  OPTOTORCH_CHECK(ports >= 1 && ports <= 65536, .where = name(), .argument = "ports",
                  .expected = "1 to 65536", .got = std::to_string(ports));
  matrix = register_real("matrix", torch::zeros({ports, ports, 2}));
}

void LinearCorrection::constrain() {
  const torch::NoGradGuard no_grad;
  auto map = at::view_as_complex(matrix);
  auto diagonal = map.diagonal();
  diagonal.add_(1);
  const auto size = at::abs(diagonal);
  const auto turn = at::where(size > 0, diagonal.conj() / size.clamp_min(1e-30), at::ones_like(diagonal));
  map.mul_(turn.unsqueeze(1));
  diagonal.sub_(1);
}

torch::Tensor LinearCorrection::difference(const torch::Tensor& u) {
  OPTOTORCH_CHECK(u.size(1) == matrix.size(0), .where = name(), .argument = "mesh",
                  .expected = c10::str("one of ", matrix.size(0), " ports, those of the correction"),
                  .got = std::to_string(u.size(1)));
  return u.mm(at::view_as_complex(matrix).t());
}

torch::Tensor LinearCorrection::pull_difference(const torch::Tensor& u, const torch::Tensor& dL_dd,
                                                bool learns, bool to_u) {
  if (learns) {
    // dL_dC = g u^H of each sample.
    Layer::accumulate(matrix, at::view_as_real(dL_dd.t().mm(u.conj()).resolve_conj()));
  }
  return to_u ? dL_dd.mm(at::view_as_complex(matrix).conj()) : torch::Tensor();
}

}  // namespace optotorch
