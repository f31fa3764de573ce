// A matrix in optics: the weight of a torch::nn::Linear becomes the phases of two meshes of Mach-Zehnder
// interferometers (MZIs) and a row of amplitude controls between them, W = U Sigma V. Same inputs, same
// outputs.

#include <ATen/ATen.h>
#include <optotorch/modules/optics/mzi_linear.h>
#include <torch/nn/modules/linear.h>
#include <torch/utils.h>

#include <iostream>

int main() {
  torch::manual_seed(1);
  torch::nn::Linear electronic(torch::nn::LinearOptions(16, 10).bias(false));

  optotorch::MziLinear optical(16, 10);  // Haar-random phases, until it is told otherwise
  optical->set_matrix(electronic->weight.detach());

  // 16 guided modes in, 10 out. A field is complex; these amplitudes happen to be real.
  const torch::Tensor x = torch::randn({8, 16});
  const torch::Tensor y = optical->forward(at::complex(x, torch::zeros_like(x)));
  const torch::Tensor expected = electronic->forward(x).detach();
  const double error = (y - expected).abs().max().item<double>();

  std::cout << optical << "\n\n"
            << "MZIs: " << optical->v->footprint().at(optotorch::parts::mzis) << " (V) + "
            << optical->u->footprint().at(optotorch::parts::mzis) << " (U)\n"
            << "first phases of V in radians:\n"
            << "  theta " << optical->v->theta.narrow(0, 0, 4) << "\n"
            << "  phi " << optical->v->phi.narrow(0, 0, 4) << "\n"
            << "amplitudes Sigma, above 1 where gain is needed:\n"
            << "  " << optical->sigma << "\n"
            << "largest |optical - electronic|: " << error << "\n";

  // n ports need n (n - 1) / 2 MZIs.
  const bool counted = optical->footprint().at(optotorch::parts::mzis) == 16 * 15 / 2 + 10 * 9 / 2;
  return counted && error < 1e-5 ? 0 : 1;
}
