#include <ATen/ATen.h>
#include <optotorch/trainers/rules/detail/not_finite.h>

namespace optotorch {
namespace {

bool is_finite(const torch::Tensor& x) {
  return at::isfinite(x).all().item<bool>();
}

/// Number of the first sample whose values are all 0; -1 if there is none.
int64_t dark_sample(const torch::Tensor& x) {
  if (x.dim() < 2 || x.numel() == 0) {
    return -1;
  }
  const auto dark = x.flatten(1).any(1).logical_not().nonzero();
  return dark.numel() == 0 ? -1 : dark[0].item<int64_t>();
}

}  // namespace

std::string remedy_for_not_finite(const HybridImpl& model, const std::vector<Pass>& passes) {
  if (!passes.empty() && !is_finite(passes.front().input)) {
    return "There is NaN or infinity in the input";
  }
  for (size_t index = 0; index < passes.size(); ++index) {
    const auto& pass = passes[index];
    if (is_finite(pass.output)) {
      continue;
    }
    const std::string layer = c10::str("layer ", index, " (", model.layer(index).name(), ")");
    const int64_t sample = dark_sample(pass.input);
    if (sample >= 0) {
      return c10::str("Sample ", sample, " is dark in front of ", layer,
                      ", all its values are 0, which makes ",
                      "them NaN or infinite: let it divide by a number above 0, or look for the light");
    }
    return c10::str("Values become NaN or infinite in ", layer, ": lower the learning rate");
  }
  return "Look for NaN in the targets, or lower the learning rate";
}

}  // namespace optotorch
