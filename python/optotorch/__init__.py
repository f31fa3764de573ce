"""Partly optical neural networks: OptoTorch's layers, operators and network files in PyTorch.

    import optotorch

    mesh = optotorch.nn.MziMesh(64)                     # as any torch.nn.Module
    net = optotorch.load_network("network.safetensors")  # one that C++ or the program wrote
    phases = optotorch.decompose(unitary)

Layers are those of the C++ library: the same names, options, parameters and bits. torch.ops.optotorch has the operators.
"""

from optotorch import _library

_library.load()

from optotorch import nn  # noqa: E402
from optotorch.mesh import Phases, convert, decompose, fidelity, haar_unitary, reconstruct  # noqa: E402
from optotorch.network import Hybrid, build, describe, load_network, save_network  # noqa: E402

__version__ = _library.version
__all__ = [
    "Hybrid",
    "Phases",
    "build",
    "convert",
    "decompose",
    "describe",
    "fidelity",
    "haar_unitary",
    "load_network",
    "nn",
    "reconstruct",
    "save_network",
]
