#include <optotorch/modules/export/torchscript.h>
#include <optotorch/modules/optics/fourier_lens.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/mnist.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <optotorch/trainers/trainer.h>
#include <torch/torch.h>

using namespace optotorch;

int main(int argc, char** argv) {
  const std::string data = argc > 1 ? argv[1] : "data";
  const ImageBatches train(MNIST(data), ImageBatchesOptions(100).shuffle(true).seed(1));
  const ImageBatches test(MNIST(data, MNIST::Mode::test), ImageBatchesOptions(500));

  torch::manual_seed(1);
  Hybrid net(FourierLens(8), MziMesh(64),
             Photodetector(PhotodetectorOptions().detection(Detection::amplitude)),
             torch::nn::Linear(64, 10));
  const auto rule = std::make_shared<TwoPassForward>(
      TwoPassForwardOptions().feedback(Feedback::twin).presynaptic(Presynaptic::clean).strength(0.1));
  const auto adam = std::make_shared<torch::optim::Adam>(net->parameters(), torch::optim::AdamOptions(1e-2));

  Trainer trainer(net, rule, adam, torch::nn::CrossEntropyLoss(), TrainerOptions().epochs(2));
  const double accuracy = *trainer.fit(train, nullptr, &test).epochs.back().test_accuracy;
  export_torchscript(net, test.batch(0, 0).data, "model.pt");
  return accuracy > 0.8 ? 0 : 1;
}
