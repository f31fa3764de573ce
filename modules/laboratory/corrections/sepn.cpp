#include <ATen/ATen.h>
#include <optotorch/modules/laboratory/corrections/sepn.h>

#include <cmath>

namespace optotorch {

Sepn::Sepn(const SepnOptions& options)
    : CorrectionBehind("Sepn"), layout_{options.ports(), options.features()} {
  layout_.check();
  numbers = register_real("parameters", torch::empty({layout_.parameters(), 2}));
  const torch::NoGradGuard no_grad;
  for (const auto& c : layout_.convolutions()) {
    // torch::nn::ConvTranspose2d takes the second axis of its weight, the outputs, for the inputs.
    const double bound = 1 / std::sqrt(9.0 * static_cast<double>(c.transposed ? c.out : c.in));
    numbers.narrow(0, c.weight, c.bias + c.out - c.weight).uniform_(-bound, bound);
  }
}

torch::Tensor Sepn::difference(const torch::Tensor& u) {
  return ops::sepn(u.flatten(1), numbers, layout_).view(u.sizes());
}

torch::Tensor Sepn::pull_difference(const torch::Tensor& u, const torch::Tensor& dL_dd, bool learns,
                                    bool to_u) {
  auto [dL_du, dL_dnumbers] =
      ops::sepn_backward(dL_dd.flatten(1), u.flatten(1), numbers, layout_, to_u, learns);
  if (learns) {
    Layer::accumulate(numbers, dL_dnumbers);
  }
  return to_u ? dL_du.view(u.sizes()) : torch::Tensor();
}

}  // namespace optotorch
