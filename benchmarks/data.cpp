// Batches of images, against torchvision's data sets and PyTorch's DataLoader with as many workers, which a
// process of Python runs in turn with ours.

#include <ATen/ATen.h>
#include <optotorch/core/npy.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/cifar10.h>
#include <optotorch/trainers/datasets/image_folder.h>
#include <optotorch/trainers/datasets/transforms/all.h>
#include <optotorch/trainers/prefetched_batches.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <vector>

#include "benchmarks.h"
#include "peer_program.h"
#include "rows.h"

namespace optotorch::bench {
namespace {

using namespace transforms;

constexpr int64_t workers = 2;
const std::vector<double> mean{0.4914, 0.4822, 0.4465}, stddev{0.247, 0.2435, 0.2616};

double difference(const at::Tensor& ours, const at::Tensor& peer) {
  return (ours.to(at::kDouble) - peer.to(at::kDouble)).abs().max().item<double>();
}

void require_equal(const char* what, double off, double most) {
  if (!(off <= most)) {
    throw std::runtime_error(std::string(what) + " differs by " + std::to_string(off));
  }
}

/// Epochs, one after the other, by workers that stay.
std::function<void()> epochs(const ImageBatches& batches) {
  const auto source = std::make_shared<PrefetchedBatches>(std::make_shared<ImageBatches>(batches),
                                                          PrefetchedBatchesOptions(workers));
  return [source, epoch = int64_t{0}]() mutable {
    for (int64_t k = 0; k < source->size(); ++k) {
      source->batch(epoch, k);
    }
    ++epoch;
  };
}

}  // namespace

void run_data(const std::string& json, const std::string& python) {
  const auto script = std::filesystem::path(__FILE__).parent_path() / "torchvision_loader.py";
  const TemporaryFolder folder;
  std::printf("making 60,000 images of 32 x 32 and 2,000 JPEGs of 500 x 375 ...\n");
  std::fflush(stdout);
  PeerProgram peer(python, script, folder.path(), "torchvision and Pillow");

  const CIFAR10 cifar(folder.path());
  const ImageFolder photographs(folder.path() + "/photographs");
  const auto plain = compose(ConvertImageDtype(), Normalize(mean, stddev));
  const double cifar_off =
      difference(ImageBatches(cifar, ImageBatchesOptions(128).transform(plain)).batch(0, 0).data,
                 load_npy(folder.path() + "/cifar.npy"));
  require_equal("CIFAR-10", cifar_off, 0);
  const double photograph_off = difference(photographs.image(7), load_npy(folder.path() + "/photograph.npy"));
  require_equal("a JPEG", photograph_off, 0);

  std::vector<Row> rows;
  const auto add = [&](const std::string& name, const char* work, const std::function<void()>& ours,
                       const std::string& how, double off, double seconds) {
    Row row = time_pair(
        name, "torchvision", ours, [&] { peer.run(work); }, seconds);
    row.how = how;
    row.max_difference = off;
    print_row(row);
    rows.push_back(row);
  };
  print_header();
  add(
      "read CIFAR-10, 50,000 images", "read", [&] { CIFAR10(folder.path()); }, "torchvision.datasets.CIFAR10",
      cifar_off, 10);
  const auto augment = compose(RandomCrop(RandomCropOptions(32).padding({4})), RandomHorizontalFlip(),
                               ConvertImageDtype(), Normalize(mean, stddev));
  add("epoch of CIFAR-10, batch 128, crop, flip, normalise", "cifar",
      epochs(ImageBatches(cifar, ImageBatchesOptions(128).shuffle(true).transform(augment))),
      "DataLoader, 2 workers, Pillow's images", cifar_off, 40);
  const auto crop = compose(RandomResizedCrop(RandomResizedCropOptions(224)), RandomHorizontalFlip(),
                            ConvertImageDtype(), Normalize(mean, stddev));
  add("epoch of 2,000 JPEGs, RandomResizedCrop to 224", "photographs",
      epochs(ImageBatches(photographs, ImageBatchesOptions(64).shuffle(true).transform(crop))),
      "DataLoader, 2 workers, Pillow", photograph_off, 60);
  write_json(rows, json);
}

}  // namespace optotorch::bench
