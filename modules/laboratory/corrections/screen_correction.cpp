#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/corrections/screen_correction.h>

namespace optotorch {

ScreenCorrection::ScreenCorrection(const StageDesign& design) : CorrectionBehind("ScreenCorrection") {
  OPTOTORCH_CHECK(design.delivers_field, .where = name(), .argument = "design",
                  .expected = "a stage that delivers a field", .got = describe(design),
                  .remedy = "Use a LinearCorrection or a WhiteBoxCorrection");
  auto shape = design.output;
  shape.push_back(2);
  screen = register_real("screen", torch::zeros(shape));
}

torch::Tensor ScreenCorrection::difference(const torch::Tensor& u) {
  OPTOTORCH_CHECK(
      u.is_complex() && u.dim() == screen.dim() && u.sizes().slice(1) == screen.sizes().slice(0, u.dim() - 1),
      .where = name(), .argument = "stage",
      .expected = c10::str("the field of the correction's stage, [batch, ",
                           c10::Join(", ", screen.sizes().slice(0, screen.dim() - 1)), "]"),
      .got = describe(u));
  return u * at::view_as_complex(screen);
}

torch::Tensor ScreenCorrection::pull_difference(const torch::Tensor& u, const torch::Tensor& dL_dd,
                                                bool learns, bool to_u) {
  if (learns) {
    Layer::accumulate(screen, at::view_as_real((dL_dd * u.conj()).sum(0).resolve_conj()));
  }
  return to_u ? dL_dd * at::view_as_complex(screen).conj() : torch::Tensor();
}

}  // namespace optotorch
