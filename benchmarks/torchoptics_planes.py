"""The peer of `optotorch_bench free-space --python`: torchoptics' angular spectrum with a padding of two.

    torchoptics_planes.py FOLDER      then lines on standard input: a name, whose work is done once; "done" comes back
"""
import os
import sys

import numpy
import torch
import torchoptics

folder = sys.argv[1]


def load(name):
    return torch.from_numpy(numpy.load(os.path.join(folder, name + ".npy")))


wavelength, distance, spacing = load("geometry").tolist()
torch.set_num_threads(1)
torchoptics.set_default_spacing(spacing)
torchoptics.set_default_wavelength(wavelength)


class Plane(torch.nn.Module):
    """exp(i phase) on a field, and the space behind it."""

    def __init__(self, phase):
        super().__init__()
        self.phase = torch.nn.Parameter(phase)
        self.mask = torchoptics.elements.PhaseModulator(self.phase)

    def forward(self, x):
        field = self.mask(torchoptics.Field(x))
        side = x.shape[-1]
        return field.propagate((side, side), distance, propagation_method="ASM", asm_pad=(side // 2, side // 2)).data


def check():
    """Double, without the phase that all waves have in common, which ours leaves out."""
    y = Plane(load("smooth_phase"))(load("smooth"))
    turn = numpy.exp(-2j * numpy.pi * distance / wavelength)
    numpy.save(os.path.join(folder, "smooth_behind.npy"), y.detach().numpy() * turn)


plane = Plane(load("phase"))
x = load("field").requires_grad_()
dL_dy = load("signal")


def step():
    plane.phase.grad = x.grad = None
    plane(x).backward(dL_dy)


work = {"check": check, "step": step}
print("done", flush=True)
for line in sys.stdin:
    work[line.strip()]()
    print("done", flush=True)
