"""Unitary matrices as the phases of a mesh, and back. A layout is that of `optotorch.nn.MziMesh`: `grid`, `columns` (0: as
many as make it universal), `phi_arm`, `zero_state`, `idle_port`."""

from typing import NamedTuple, Optional

import torch


class Phases(NamedTuple):
    """Phases of a mesh in radians: `theta` and `phi` [mzis], the screen `gamma` [ports] or None."""

    theta: torch.Tensor
    phi: torch.Tensor
    gamma: Optional[torch.Tensor]


def _phases(theta, phi, gamma):
    return Phases(theta, phi, gamma if gamma.numel() > 0 else None)


def decompose(unitary, **layout):
    """The phases, float64, with which a universal mesh realises y = U x; `unitary` [ports, ports], complex or real.
    Clements et al. 2016 for the rectangular grid, Reck et al. 1994 for the triangular one."""
    return _phases(*torch.ops.optotorch.decompose(unitary, **layout))


def reconstruct(phases, ports, **layout):
    """The matrix, complex128 [ports, ports], that an ideal mesh with these phases realises."""
    return torch.ops.optotorch.reconstruct(*phases, ports=ports, **layout)


def convert(phases, ports, layout=None, to=None):
    """The phases with which a mesh of layout `to` realises what one of `layout` does; both are dicts."""
    target = {f"to_{name}": value for name, value in (to or {}).items()}
    return _phases(*torch.ops.optotorch.convert(*phases, ports=ports, **(layout or {}), **target))


def haar_unitary(ports):
    """A unitary matrix, complex128, drawn from the Haar measure by torch's generator."""
    return torch.ops.optotorch.haar_unitary(ports)


def fidelity(u, v):
    """How alike two matrices are, 0 to 1, whatever their common factor: |tr(U^H V)|^2 / (tr(U^H U) tr(V^H V))."""
    return torch.ops.optotorch.fidelity(u, v)
