"""A hybrid network in PyTorch, from pixels to the phases of a chip: cells of a notebook, or a script.

    python 13_in_python.py [DATA]      DATA: folder with MNIST as torchvision lays it out (default: data)
"""

# %% Data: 6,000 images, as in the C++ examples. With torchvision: torchvision.datasets.MNIST(DATA).
import gzip
import pathlib
import sys
import tempfile

import torch

import optotorch
from optotorch import nn

torch.manual_seed(0)
raw = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "data") / "MNIST/raw"


def read(name, header, *shape):
    with gzip.open(raw / name) as file:
        return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8).reshape(-1, *shape)


images = read("train-images-idx3-ubyte.gz", 16, 1, 28, 28)[:6000] / 255
labels = read("train-labels-idx1-ubyte.gz", 8)[:6000].long()
unseen = read("t10k-images-idx3-ubyte.gz", 16, 1, 28, 28) / 255
unseen_labels = read("t10k-labels-idx1-ubyte.gz", 8).long()

# %% Network: 100 spatial frequencies of an image, mixed by a mesh, read by detectors; electronics decide.
net = torch.nn.Sequential(nn.FourierLens(10), nn.MziMesh(100), nn.Photodetector(detection="amplitude"),
                          torch.nn.Linear(100, 10))
mesh = net[1]
print(net)

# %% Training, as any module of PyTorch: the layers' own pull-backs give the gradients of all phases.
epochs, batch_size = 6, 50
adam = torch.optim.Adam(net.parameters(), lr=1e-2)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, T_max=epochs * len(images) // batch_size)
for epoch in range(epochs):
    for batch in torch.randperm(len(images)).split(batch_size):
        adam.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(images[batch]), labels[batch])
        loss.backward()
        adam.step()
        schedule.step()
    print(f"epoch {epoch + 1}: loss of the last batch {loss.item():.3f}")


def accuracy(network):
    network.eval()
    with torch.no_grad():
        return 100 * (network(unseen).argmax(1) == unseen_labels).double().mean().item()


trained = accuracy(net)
print(f"test accuracy {trained:.2f} %")

# %% The chip: the matrix that the phases realise, and the phases with which a triangular mesh realises it.
phases = optotorch.mesh.Phases(*(value.detach().double() for value in (mesh.theta, mesh.phi, mesh.gamma)))
unitary = optotorch.reconstruct(phases, 100)
triangle = optotorch.decompose(unitary, grid="triangular")
error = (optotorch.reconstruct(triangle, 100, grid="triangular") - unitary).abs().max().item()
print(f"{len(triangle.theta)} interferometers in a triangle: the same matrix to {error:.1e}")

# %% Heaters have few levels: how many bits does this network need?
with torch.no_grad():
    for bits in (3, 4, 5, 6, 8):
        step = 2 * torch.pi / 2**bits
        for parameter, exact in zip((mesh.theta, mesh.phi, mesh.gamma), phases):
            parameter.copy_((exact / step).round() * step)
        print(f"{bits} bits: {accuracy(net):.2f} %")
    for parameter, exact in zip((mesh.theta, mesh.phi, mesh.gamma), phases):
        parameter.copy_(exact)

# %% A file that C++ loads (`load_network`) and Python too, with the same bits.
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "net.safetensors"
    optotorch.save_network(net, path)
    loaded = optotorch.load_network(path)
same = torch.equal(loaded.eval()(unseen[:100]), net.eval()(unseen[:100]))
print(f"saved and loaded: {'the same bits' if same else 'other bits'}")

assert trained > 93
assert error < 1e-12
assert same
