"""The shared library, and the PyTorch that it was built against."""

import pathlib

import torch

from optotorch._build import torch_version, version

path = pathlib.Path(__file__).parent / "lib" / "liboptotorch.so"


def minor(text):
    """(2, 13) of "2.13.0+cpu"."""
    return tuple(int(number) for number in text.split("+")[0].split(".")[:2])


def check(installed, built):
    """PyTorch's C++ interface changes with every minor version: another one would not find its symbols."""
    if minor(installed) != minor(built):
        wanted = ".".join(str(number) for number in minor(built))
        raise ImportError(
            f"optotorch: torch: expected {wanted}, which this OptoTorch {version} was built against, got {installed}. "
            f"Install torch=={wanted}.*, or build OptoTorch from its sources beside this one"
        )


def load():
    check(torch.__version__, torch_version)
    if not path.exists():
        raise ImportError(f"optotorch: library: expected {path}, got none. Install the package again")
    try:
        torch.ops.load_library(str(path))
    except OSError as error:
        raise ImportError(
            f"optotorch: library: expected {path} to load, got {error}. "
            f"Install the package again beside torch {torch_version}"
        ) from error
