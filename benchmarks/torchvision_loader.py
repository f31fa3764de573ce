"""The peer of `optotorch_bench data`: makes the data, and runs torchvision's loaders when it is told to.

    torchvision_loader.py FOLDER      then lines on standard input: a name, whose work is done once; "done" comes back
"""
import os
import pickle
import sys

import numpy
import torch

library = torch.library.Library("torchvision", "DEF")  # of the CUDA build's operators, where that can't be loaded
library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import torchvision  # noqa: E402
from PIL import Image  # noqa: E402
from torchvision import transforms as T  # noqa: E402

folder = sys.argv[1]
workers = 2
mean, std = (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)


def make_cifar():
    random = numpy.random.default_rng(0)
    path = os.path.join(folder, "cifar-10-batches-py")
    os.makedirs(path)
    for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        entry = {"batch_label": name, "labels": random.integers(0, 10, 10000).tolist(),
                 "data": random.integers(0, 256, (10000, 3072), dtype=numpy.uint8),
                 "filenames": [f"{i}.png" for i in range(10000)]}
        with open(os.path.join(path, name), "wb") as file:
            pickle.dump(entry, file, protocol=2)
    with open(os.path.join(path, "batches.meta"), "wb") as file:
        pickle.dump({"label_names": [f"class {i}" for i in range(10)], "num_cases_per_batch": 10000,
                     "num_vis": 3072}, file, protocol=2)


def make_photographs():
    random = numpy.random.default_rng(1)
    for i in range(2000):
        path = os.path.join(folder, "photographs", f"class{i % 4}")
        os.makedirs(path, exist_ok=True)
        small = Image.fromarray(random.integers(0, 256, (25, 33, 3), dtype=numpy.uint8))
        large = numpy.asarray(small.resize((500, 375), Image.BICUBIC)).astype(numpy.int16)
        noisy = large + random.integers(-6, 7, large.shape)
        Image.fromarray(noisy.clip(0, 255).astype(numpy.uint8)).save(os.path.join(path, f"{i:04}.jpg"), quality=90)


class CIFAR10(torchvision.datasets.CIFAR10):
    def _check_integrity(self):  # these files are not the published ones
        return True

    def _load_meta(self):
        self.classes = [f"class {i}" for i in range(10)]
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}


def loader(dataset, batch_size):
    return torch.utils.data.DataLoader(dataset, batch_size, shuffle=True, num_workers=workers,
                                       persistent_workers=True)


def run(batches):
    for _ in batches:
        pass


make_cifar()
make_photographs()
augment = T.Compose([T.RandomCrop(32, padding=4), T.RandomHorizontalFlip(), T.ToTensor(), T.Normalize(mean, std)])
crop = T.Compose([T.RandomResizedCrop(224), T.RandomHorizontalFlip(), T.ToTensor(), T.Normalize(mean, std)])
plain = CIFAR10(folder, transform=T.Compose([T.ToTensor(), T.Normalize(mean, std)]))
photographs = torchvision.datasets.ImageFolder(os.path.join(folder, "photographs"), crop)
numpy.save(os.path.join(folder, "cifar.npy"), torch.stack([plain[i][0] for i in range(128)]).numpy())
numpy.save(os.path.join(folder, "photograph.npy"),
           numpy.ascontiguousarray(numpy.asarray(photographs.loader(photographs.samples[7][0])).transpose(2, 0, 1)))
work = {"read": lambda: CIFAR10(folder), "cifar": lambda: run(cifar_loader), "photographs": lambda: run(photo_loader)}
cifar_loader = loader(CIFAR10(folder, transform=augment), 128)
photo_loader = loader(photographs, 64)
print("done", flush=True)
for line in sys.stdin:
    work[line.strip()]()
    print("done", flush=True)
