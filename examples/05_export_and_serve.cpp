// Trains a little, writes a TorchScript file, and prints the Python that serves it. Neither PyTorch nor
// another LibTorch program needs OptoTorch to run the file: a mesh is exported as the matrix that it
// realises.
//
//     example_05 [DATA [OUT]]      DATA: the folder that holds MNIST/raw; OUT: an existing folder; by default
//     "data", "."

#include <ATen/ATen.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/modules/optics/fourier_lens.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/mnist.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>
#include <torch/utils.h>

#include <fstream>
#include <iostream>
#include <sstream>

using namespace optotorch;

// The text of 05_serve.py.
constexpr auto serve = R"(import gzip, sys
import torch

model = torch.jit.load(sys.argv[1])  # a .pt file is a program: load none that you would not run
with gzip.open(sys.argv[2]) as file:
    pixels = torch.frombuffer(bytearray(file.read()[16:]), dtype=torch.uint8)
images = pixels.reshape(-1, 1, 28, 28)[:20] / 255
print(*model(images).argmax(1).tolist())
)";

int main(int argc, char** argv) {
  const std::string data = argc > 1 ? argv[1] : "data";
  const std::string out = argc > 2 ? argv[2] : ".";

  torch::manual_seed(1);
  Hybrid net(FourierLens(6), MziMesh(36), Photodetector(), torch::nn::Linear(36, 10));
  DirectFeedback rule;
  torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(1e-2));
  const ImageBatches train(MNIST(data), ImageBatchesOptions(100).shuffle(true).seed(1));
  for (const auto& [images, labels] : train.epoch(0)) {
    optimizer.zero_grad();
    rule.step(*net, images, labels, [](const torch::Tensor& y, const torch::Tensor& target) {
      return torch::nn::functional::cross_entropy(y, target);
    });
    optimizer.step();
  }

  // The example only fixes shapes and is what the reloaded file is compared on; any batch size runs.
  const ImageBatches test(MNIST(data, MNIST::Mode::test), ImageBatchesOptions(20));
  const auto [images, labels] = test.batch(0, 0);
  net->eval();
  const double difference = export_torchscript(net, images, out + "/model.pt");
  std::ostringstream digits;
  for (int64_t i = 0; i < 20; ++i) {
    digits << (i == 0 ? "" : " ") << net->forward(images).argmax(1)[i].item<int64_t>();
  }
  std::ofstream(out + "/digits.txt") << digits.str() << "\n";
  std::cout << "wrote " << out << "/model.pt; relative difference after reloading: " << difference << "\n"
            << "the first 20 test digits are read as " << digits.str() << "\n"
            << "the same from Python, as: python3 05_serve.py " << out << "/model.pt " << data
            << "/MNIST/raw/t10k-images-idx3-ubyte.gz\n\n"
            << serve;

  // The same from C++, with a batch of another size. Here, too, loading a file is running it.
  auto served = torch::jit::load(out + "/model.pt");
  const auto one = served.forward({images.narrow(0, 3, 1)}).toTensor();
  return torch::allclose(one, net->forward(images).narrow(0, 3, 1), 1e-4, 1e-5) ? 0 : 1;
}
