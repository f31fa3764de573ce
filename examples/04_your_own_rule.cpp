// A new rule in a page: node perturbation. Every hidden block's output is shaken by a little noise; what
// comes out of the network changes; the product of noise and change estimates the gradient at the block.
// Forward passes only, and nothing about the layers is known to the rule.
//
//     example_04 [DATA]      DATA: the folder that holds MNIST/raw; by default "data"

#include <ATen/ATen.h>
#include <optotorch/modules/optics/fourier_lens.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/mnist.h>
#include <optotorch/trainers/metrics.h>
#include <optotorch/trainers/rules/alignment.h>
#include <optotorch/trainers/rules/random_matrix.h>
#include <optotorch/trainers/rules/shallow.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>
#include <torch/utils.h>

#include <iostream>

namespace {

using namespace optotorch;
using torch::Tensor;

/// Signal at the output h of a hidden block, for each sample, averaged over `directions` noises xi ~ N(0, 1):
///
///     xi <dL_dy, y(h + size xi) - y(h)> / size      ->  dL_dh in the mean, as size -> 0
class NodePerturbation : public Rule {
 public:
  std::string name() const override { return "node-perturbation"; }

  // Noise number n is a pure function of (seed, n): a resumed run draws the same.
  std::map<std::string, Tensor> state() const override { return {{"draws", torch::tensor(draws_)}}; }
  void load_state(const std::map<std::string, Tensor>& state) override {
    draws_ = state.at("draws").item<int64_t>();
  }

 protected:
  void teach(HybridImpl& model, const Lesson& lesson) override {
    const auto& passes = lesson.passes;
    const Tensor& dL_dy = lesson.dL_dy();
    const auto blocks = model.trainable_blocks();
    const Tensor& y = passes.back().output;
    for (size_t hidden = 0; hidden + 1 < blocks.size(); ++hidden) {
      const Tensor& h = passes[blocks[hidden].end - 1].output;
      Tensor signal = torch::zeros_like(h);
      for (int64_t k = 0; k < directions; ++k) {
        // A complex field has two independent numbers of variance 1 to shake.
        Tensor xi = normal_matrix(h.size(0), h[0].numel(), seed, draws_++, h.scalar_type()).view_as(h);
        xi = h.is_complex() ? xi * std::sqrt(2) : xi;
        const Tensor change = model.propagate(h + size * xi, blocks[hidden].end).back().output - y;
        const Tensor slope = at::real(dL_dy.conj() * change).flatten(1).sum(1) / (size * directions);
        signal += xi * slope.view({-1, 1}).expand({-1, h[0].numel()}).reshape(h.sizes());
      }
      // dfa_update: the signal stands at the block's output, and the block applies its own slope.
      model.update(blocks[hidden], passes, signal, &Layer::dfa_update);
    }
    teach_head(model, passes, dL_dy);
  }

 private:
  static constexpr double size = 1e-2;
  static constexpr int64_t directions = 4, seed = 1;
  int64_t draws_ = 0;
};

Tensor loss(const Tensor& output, const Tensor& target) {
  return torch::nn::functional::cross_entropy(output, target);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string data = argc > 1 ? argv[1] : "data";
  const ImageBatches train(MNIST(data), ImageBatchesOptions(50).shuffle(true).seed(1));
  const ImageBatches test(MNIST(data, MNIST::Mode::test), ImageBatchesOptions(500));

  const auto test_accuracy_of = [&](Rule& rule) {
    torch::manual_seed(1);
    Hybrid net(FourierLens(5), MziMesh(25),
               Photodetector(PhotodetectorOptions().detection(Detection::amplitude)),
               torch::nn::Linear(25, 10));
    torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(1e-2));
    for (int64_t epoch = 0; epoch < 3; ++epoch) {
      for (const auto& [images, labels] : train.epoch(epoch)) {
        optimizer.zero_grad();
        rule.step(*net, images, labels, loss);
        optimizer.step();
      }
    }
    const auto [images, labels] = train.batch(0, 0);
    const double accuracy = evaluate(*net, test);
    std::cout << rule.name() << ": test accuracy " << accuracy
              << ", cosine between its update of the mesh and the "
              << "gradient " << alignment(rule, *net, images, labels, loss)[0] << "\n";
    return accuracy;
  };
  NodePerturbation perturbation;
  Shallow shallow;
  return test_accuracy_of(perturbation) > test_accuracy_of(shallow) + 0.01 ? 0 : 1;
}
