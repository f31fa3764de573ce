"""The peer of `optotorch_bench python`: a mesh forward and backward by the package optotorch, and by neurophox's torch layer
if it is there.

    python_layers.py FOLDER      then lines on standard input: a name, whose work is done; "done" comes back
"""
import os
import sys
import unittest.mock

import numpy
import torch

import optotorch

folder = sys.argv[1]
REPEATS = 20  # of ours: what passing a line takes is small beside it


def load(name):
    return torch.from_numpy(numpy.load(os.path.join(folder, name + ".npy")))


def save(name, tensor):
    numpy.save(os.path.join(folder, name + ".npy"), tensor.detach().numpy())


torch.set_num_threads(1)
mesh = optotorch.nn.MziMesh(load("gamma").numel())
mesh.load_state_dict({name: load(name) for name in ("theta", "phi", "gamma")})
x = load("x").requires_grad_()
dL_dy = load("dL_dy")


def step():
    for tensor in (x, *mesh.parameters()):
        tensor.grad = None
    y = mesh(x)
    y.backward(dL_dy)
    return y


def check():
    save("y", step())
    save("dL_dx", x.grad)
    for name, parameter in mesh.named_parameters():
        save("dL_d" + name, parameter.grad)


def ours():
    for _ in range(REPEATS):
        step()


def neurophox_step():
    """neurophox imports TensorFlow for names that its torch layer never looks at, and uses some that NumPy has dropped."""
    sys.modules["tensorflow"] = unittest.mock.MagicMock()
    numpy.complex, numpy.long = complex, int
    from neurophox.torch import RMTorch

    layer = RMTorch(mesh.ports)
    # Its complex numbers are pairs along the first dimension, its matrix acts on rows.
    pairs = torch.stack([x.detach().real, x.detach().imag]).requires_grad_()
    signal = torch.stack([dL_dy.real, dL_dy.imag])
    u = torch.from_numpy(layer.matrix).to(torch.complex128)
    same = optotorch.nn.MziMesh(mesh.ports)
    same.load_state_dict({name: value.float() for name, value in optotorch.decompose(u.T.contiguous())._asdict().items()})
    there, here = layer(pairs), same(x.detach())
    difference = (torch.complex(there[0], there[1]) - here).abs().max().item()
    assert difference < 1e-3, difference
    save("neurophox", torch.tensor([difference]))

    def run():
        pairs.grad = None
        for parameter in layer.parameters():
            parameter.grad = None
        layer(pairs).backward(signal)

    return run


work = {"check": check, "ours": ours}
if os.environ.get("OPTOTORCH_NEUROPHOX"):
    work["neurophox"] = neurophox_step()
print("done", flush=True)
for line in sys.stdin:
    work[line.strip()]()
    print("done", flush=True)
