// Photographs of one's own: class folders as torchvision's ImageFolder wants them, transforms, workers, and a
// convolutional network whose kernels are banks of microrings, taught by direct feedback.
//
//     example_10 [FOLDER]      FOLDER: with train/CLASS/... and val/CLASS/...; if none is given a small set is
//     drawn into "photographs"

#include <ATen/ATen.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/convolution.h>
#include <optotorch/modules/optics/weight_bank.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/image_folder.h>
#include <optotorch/trainers/datasets/transforms/all.h>
#include <optotorch/trainers/metrics.h>
#include <optotorch/trainers/prefetched_batches.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/pooling.h>
#include <torch/optim/adam.h>
#include <torch/utils.h>

#include <filesystem>
#include <fstream>
#include <iostream>

using namespace optotorch;
using namespace optotorch::transforms;

/// Discs, squares and stripes of any colour and size on a noisy ground, as PPM files of any shape.
std::string draw_photographs(const std::string& folder) {
  torch::manual_seed(7);
  const auto draw = [&](const std::string& part, const std::string& kind, int64_t number) {
    const int64_t height = 40 + number % 17, width = 44 + number % 13;
    const auto y = at::arange(height).unsqueeze(1) - at::randint(16, height - 16, {1});
    const auto x = at::arange(width) - at::randint(16, width - 16, {1});
    const auto size = at::randint(7, 14, {1});
    const auto shape = kind == "disc"     ? x * x + y * y < size * size
                       : kind == "square" ? (x.abs() < size).logical_and(y.abs() < size)
                                          : (x + y).remainder(size) < size / 2;
    const auto ground = 0.4 * at::rand({3, 1, 1}), colour = 0.6 + 0.4 * at::rand({3, 1, 1});
    const auto picture = at::where(shape, colour, ground) + 0.05 * at::randn({3, height, width});
    const auto bytes = picture.clamp(0, 1).mul(255).to(at::kByte).permute({1, 2, 0}).contiguous();
    std::filesystem::create_directories(folder + "/" + part + "/" + kind);
    std::ofstream file(folder + "/" + part + "/" + kind + "/" + std::to_string(number) + ".ppm",
                       std::ios::binary);
    file << "P6\n" << width << " " << height << "\n255\n";
    file.write(static_cast<const char*>(bytes.const_data_ptr()), bytes.numel());
  };
  for (const char* kind : {"disc", "square", "stripes"}) {
    for (int64_t i = 0; i < 200; ++i) {
      draw("train", kind, i);
    }
    for (int64_t i = 0; i < 60; ++i) {
      draw("val", kind, i);
    }
  }
  return folder;
}

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : draw_photographs("photographs");

  const ImageFolder photographs(folder + "/train"), held_back(folder + "/val");
  const auto augment = compose(RandomResizedCrop(RandomResizedCropOptions(32).scale({0.8, 1.0})),
                               RandomHorizontalFlip(), ConvertImageDtype(), Normalize({0.5}, {0.25}));
  const auto plain = compose(Resize(ResizeOptions(36)), CenterCrop(CenterCropOptions(32)),
                             ConvertImageDtype(), Normalize({0.5}, {0.25}));
  // Two threads read and transform ahead. The batches are the same for any number of them.
  const PrefetchedBatches train(
      std::make_shared<ImageBatches>(photographs,
                                     ImageBatchesOptions(20).shuffle(true).seed(1).transform(augment)),
      2);
  const ImageBatches test(held_back, ImageBatchesOptions(60).transform(plain));

  torch::manual_seed(1);
  const auto classes = photographs.classes();
  const auto pool = torch::nn::MaxPool2dOptions(2);
  Hybrid net(Convolution(ConvolutionOptions(WeightBank(27, 16).ptr(), 3).padding(1)), torch::nn::ReLU(),
             torch::nn::MaxPool2d(pool),
             Convolution(ConvolutionOptions(WeightBank(144, 32).ptr(), 3).padding(1)), torch::nn::ReLU(),
             torch::nn::MaxPool2d(pool), torch::nn::Flatten(), torch::nn::Linear(32 * 8 * 8, classes));
  DirectFeedback rule;
  torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(1e-3));
  double right = 0;
  for (int64_t epoch = 0; epoch < 12; ++epoch) {
    for (int64_t k = 0; k < train.size(); ++k) {
      const auto [images, labels] = train.batch(epoch, k);
      optimizer.zero_grad();
      rule.step(*net, images, labels, [](const torch::Tensor& y, const torch::Tensor& target) {
        return torch::nn::functional::cross_entropy(y, target);
      });
      optimizer.step();
    }
    right = evaluate(*net, test);
    std::cout << "epoch " << epoch + 1 << ": accuracy " << right << " on " << held_back.count()
              << " pictures of " << classes << " classes\n";
  }
  return argc > 1 || right > 0.7 ? 0 : 1;
}
