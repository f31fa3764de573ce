"""Other people's packages against OptoTorch, in one process, on one thread: neurophox's and photontorch's meshes.

    pip install scipy
    pip install --no-deps neurophox photontorch
    PYTHONPATH=build/python python benchmarks/peers.py [--json FILE]

Before a peer is timed, a mesh of ours is given the unitary matrix that the peer's circuit has, and both must give the
same outputs and the same gradients at the input, each by its own convention. Then both run in turn: medians. A ratio is
how many times as long the peer takes. A package that is not there costs a line, no more.

Both meshes predate today's PyTorch, hence --no-deps, and what is replaced here: of neurophox, TensorFlow, which its
torch layer imports without looking at it; of photontorch, torch.solve, by torch.linalg.solve, and how it brings sources
into shape, which asks them for named dimensions.

- neurophox multiplies rows by one column of the mesh after the other, as ours does: the same work.
- photontorch simulates any circuit of scattering components. A forward pass in the frequency domain solves for the
  waves at all ports of all MZIs, then multiplies by what is left, a matrix of sources and detectors. With the phases
  unchanged it keeps that matrix: `fixed`, against our mesh in eval mode, which multiplies by its matrix, too.
- torchonn comes as sources that need torchvision and mmengine before they install. It has not been compared yet.
- biotorch has direct feedback alignment for layers of torch.nn. Ours is a rule of the C++ library, and the Python
  package has layers, not rules. A step put together here from torch.nn would be neither's: `optotorch_bench step`
  times ours, in C++.
"""
import argparse
import importlib.util
import json
import os
import statistics
import sys
import time
import unittest.mock

import numpy
import torch

import optotorch

BATCH = 128
SECONDS = 5  # of each row
TOLERANCE = 1e-4  # of float32, relative to the largest value

rows = []


# --- Timing, as in rows.cpp


def milliseconds(run, times):
    start = time.perf_counter()
    for _ in range(times):
        run()
    return 1e3 * (time.perf_counter() - start) / times


def calls_per_sample(ms):
    """Calls that together take long enough for the clock and for a warm cache."""
    return min(max(int(2 / max(ms, 1e-6)), 1), 1000)


def time_pair(ours, peer):
    """Medians of both in ms; the first calls of each are not counted."""
    runs = ours, peer
    calls = [calls_per_sample(min(milliseconds(run, 1) for _ in range(3))) for run in runs]
    samples = [], []
    start = time.perf_counter()
    while time.perf_counter() - start < SECONDS or len(samples[0]) < 5:
        for run, times, ms in zip(runs, calls, samples):
            ms.append(milliseconds(run, times))
    return [statistics.median(ms) for ms in samples]


def row(case, peer, how, ours, theirs, difference):
    ours_ms, peer_ms = time_pair(ours, theirs)
    rows.append({"case": case, "ours_ms": ours_ms, "peer": peer, "peer_ms": peer_ms, "ratio": peer_ms / ours_ms,
                 "max_difference": difference})
    print(f"{case:<26} {ours_ms:10.4f}  {peer:<11} {how:<12} {peer_ms:10.4f} {peer_ms / ours_ms:8.1f}x "
          f" {difference:.1e}", flush=True)


def write_json(path):
    temporary = path + ".part"
    with open(temporary, "w") as file:
        json.dump(rows, file, indent=2)
        file.write("\n")
    os.replace(temporary, path)


# --- What both sides need


def verified(what, ours, theirs):
    """The largest difference between tensors, relative to the largest value of each."""
    largest = 0.0
    for a, b in zip(ours, theirs, strict=True):
        largest = max(largest, ((a - b).abs().max() / b.abs().max()).item())
    if not largest < TOLERANCE:
        sys.exit(f"peers.py: {what}: expected equal results, got a difference of {largest:.1e}")
    return largest


def as_complex(pair):
    return torch.complex(pair[0], pair[1]).detach()


def as_pair(z):
    return torch.stack([z.real, z.imag])


def mesh_of(matrix):
    """A mesh of ours that realises y = U x."""
    mesh = optotorch.nn.MziMesh(matrix.shape[0])
    phases = optotorch.decompose(matrix.to(torch.complex128).contiguous())
    mesh.load_state_dict({name: value.float() for name, value in phases._asdict().items()})
    return mesh


def light(ports):
    """Fields [batch, ports], and gradients at the output."""
    return torch.randn(BATCH, ports, dtype=torch.complex64), torch.randn(BATCH, ports, dtype=torch.complex64)


def both_ways(module, call, x, dL_dy):
    """A function that goes through `call` and back, to the input and to the parameters of `module`."""
    leaf = x.clone().requires_grad_()
    leaves = [leaf, *module.parameters()]

    def run():
        for tensor in leaves:
            tensor.grad = None
        y = call(leaf)
        y.backward(dL_dy)
        return y, leaf.grad

    run()
    assert all(tensor.grad is not None for tensor in leaves)
    return run


def forward(call, x):
    def run():
        with torch.no_grad():
            return call(x)

    return run


# --- The peers


def neurophox_meshes():
    """neurophox names TensorFlow and NumPy's `complex` while it is imported, and NumPy's `long` when permuting."""
    stand_in = importlib.util.find_spec("tensorflow") is None
    if stand_in:
        sys.modules["tensorflow"] = unittest.mock.MagicMock()
    for name, kind in (("complex", complex), ("long", int)):
        if not hasattr(numpy, name):
            setattr(numpy, name, kind)
    try:
        from neurophox.torch import RMTorch
    finally:
        if stand_in:
            del sys.modules["tensorflow"]

    ports = 64
    layer = RMTorch(ports)
    mesh = mesh_of(torch.from_numpy(layer.matrix).T)  # its matrix acts on rows
    x, dL_dy = light(ports)
    ours = both_ways(mesh, mesh, x, dL_dy)
    # Its complex numbers are pairs along the first dimension.
    theirs = both_ways(layer, layer, as_pair(x), as_pair(dL_dy))
    difference = verified("neurophox", ours(), map(as_complex, theirs()))
    row(f"{ports} ports, both ways", "neurophox", "RMTorch", ours, theirs, difference)


def photontorch_meshes():
    """torch.solve and the names of dimensions are gone from torch."""
    import photontorch

    try:
        torch.solve(torch.eye(1), torch.eye(1))
    except (AttributeError, RuntimeError):
        torch.solve = lambda b, a: (torch.linalg.solve(a, b), None)

    def pair_of(z):
        """[batch, ports] -> [2, times, wavelengths, ports, batch]."""
        return as_pair(z.T)[:, None, None].contiguous()

    def fields_of(pair):
        return as_complex(pair[:, 0, 0]).T

    for ports in (8, 16):
        circuit = photontorch.ClementsNxN(ports).terminate()
        # What its own way of handling sources does to one that has all five dimensions: no light enters anywhere else.
        circuit._handle_source = lambda source: torch.nn.functional.pad(
            source, (0, 0, 0, circuit.num_mc - source.shape[3]))

        def transmit(source):
            return circuit(source=source, power=False)

        def solve_and_transmit(source):
            circuit.initialize()
            return circuit(source=source, power=False)

        x, dL_dy = light(ports)
        with photontorch.Environment(freqdomain=True, grad=True):
            with torch.no_grad():
                circuit.initialize()
                matrix = fields_of(transmit(pair_of(torch.eye(ports, dtype=torch.complex64)))).T
            mesh = mesh_of(matrix)
            ours = both_ways(mesh, mesh, x, dL_dy)
            theirs = both_ways(circuit, transmit, pair_of(x), pair_of(dL_dy))
            name = f"photontorch, {ports} ports"
            difference = verified(name, ours(), map(fields_of, theirs()))
            row(f"{ports} ports, both ways", "photontorch", "ClementsNxN", ours, theirs, difference)

            ours, theirs = forward(mesh, x), forward(solve_and_transmit, pair_of(x))
            difference = verified(name + ", forward", [ours()], [fields_of(theirs())])
            row(f"{ports} ports, forward", "photontorch", "ClementsNxN", ours, theirs, difference)

            mesh.eval()
            ours, theirs = forward(mesh, x), forward(transmit, pair_of(x))
            difference = verified(name + ", fixed", [ours()], [fields_of(theirs())])
            row(f"{ports} ports, forward, fixed", "photontorch", "ClementsNxN", ours, theirs, difference)


def main():
    parser = argparse.ArgumentParser(description="Times other people's packages against OptoTorch.")
    parser.add_argument("--json", metavar="FILE", help="writes the rows to a file, too")
    options = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(1)
    numpy.random.seed(1)
    print(f"meshes, batch {BATCH}, 1 thread, torch {torch.__version__}")
    print(f"{'case':<26} {'ours [ms]':>10}  {'peer':<11} {'':<12} {'peer [ms]':>10} {'ratio':>9}  max difference")
    notes = []
    packages = {"neurophox": neurophox_meshes, "photontorch": photontorch_meshes, "torchonn": None}
    for package, time_meshes in packages.items():
        if importlib.util.find_spec(package) is None:
            notes.append(f"{package}: not installed (pip install {package})")
        elif time_meshes is None:
            notes.append(f"{package}: left out: not compared yet")
        else:
            try:
                time_meshes()
            except ModuleNotFoundError as error:
                notes.append(f"{package}: it needs {error.name} (pip install {error.name})")
    notes.append("biotorch: left out: from Python there are layers of ours, no rules; in C++ see optotorch_bench step")
    print(*notes, sep="\n")
    if options.json:
        write_json(options.json)


if __name__ == "__main__":
    main()
