"""Makes mzi_lists.json: lists of interferometers and the matrices that other packages compute of them.

Usage: python mzi_lists.py >mzi_lists.json, with numpy, scipy, StrawberryFields 0.23.0, neurophox 0.1.0a4 and
perceval-quandela 1.3.1 installed. Only their matrices are used: what else the first two import is stood in for where it
is missing.
"""

import importlib
import importlib.util
import json
import sys
import types

import numpy as np


from perceval import PS, Circuit, catalog

for missing in ("tensorflow", "torch", "torch.nn", "thewalrus", "thewalrus.quantum", "thewalrus.symplectic"):
    try:
        importlib.import_module(missing)
    except ImportError:
        # Every name, as a class of its own.
        module = types.ModuleType(missing)
        module.__path__ = []
        module.__getattr__ = lambda name: type(name, (), {})
        sys.modules[missing] = module

from neurophox.numpy.layers import RMNumpy  # noqa: E402

# Its __init__ wants the whole of TensorFlow.
spec = importlib.util.find_spec("strawberryfields")
path = spec.submodule_search_locations[0] + "/decompositions.py"
spec = importlib.util.spec_from_file_location("decompositions", path)
strawberryfields = importlib.util.module_from_spec(spec)
spec.loader.exec_module(strawberryfields)

random = np.random.default_rng(1)
cases = []


def haar(n):
    q, r = np.linalg.qr(random.standard_normal((n, n)) + 1j * random.standard_normal((n, n)))
    return q * (np.diag(r) / abs(np.diag(r)))


def add(name, convention, mzis, matrix, input=(), output=(), idle="wire"):
    matrix = np.array(matrix)
    assert abs(matrix @ matrix.conj().T - np.eye(len(matrix))).max() < 1e-12, name
    cases.append({"name": name, "convention": convention, "mzis": [[int(m), float(t), float(p)] for m, t, p in mzis],
                  "input": [float(x) for x in input], "output": [float(x) for x in output], "idle": idle,
                  "real": matrix.real.tolist(), "imaginary": matrix.imag.tolist()})


# What StrawberryFields' decompositions return is multiplied together by its own T and mach_zehnder.
for name, decompose, factor, convention in (
        ("rectangular_phase_end", strawberryfields.rectangular_phase_end, strawberryfields.T, "strawberryfields"),
        ("rectangular_symmetric", strawberryfields.rectangular_symmetric, strawberryfields.mach_zehnder,
         "strawberryfields-mz")):
    unitary = haar(5)
    found, diagonal, _ = decompose(unitary)
    product = np.eye(5)
    for element in found:
        product = factor(*map(int, element[:2]), *element[2:4], 5) @ product
    product = np.diag(diagonal) @ product
    assert abs(product - unitary).max() < 1e-12
    add("StrawberryFields " + name, convention, [(m, t, p) for m, _, t, p, _ in found], product,
        output=np.angle(diagonal))

for ports in (4, 5):
    for hadamard in (False, True):
        for basis in ("bloch", "sm"):
            np.random.seed(ports)
            mesh = RMNumpy(ports, hadamard=hadamard, basis=basis)
            mzis = [(layer % 2 + 2 * k, mesh.theta[layer, k], mesh.phi[layer, k]) for layer in range(mesh.num_layers)
                    for k in range((ports - layer % 2) // 2)]
            # Its fields are rows, V_out = V_in U. Of an even number of ports the two outer ones, where they have no MZI,
            # have one together in its bar state.
            bar = basis == "bloch" and not hadamard and ports % 2 == 0
            add(f"neurophox RMNumpy({ports}, hadamard={hadamard}, basis='{basis}')",
                "neurophox" + ("-single-mode" if basis == "sm" else "") + ("-hadamard" if hadamard else ""), mzis,
                mesh.matrix.T, input=np.ravel(mesh.gamma), idle="bar" if bar else "wire")

for item, convention in (("mzi phase first", "perceval-phase-first"), ("mzi phase last", "perceval-phase-last")):
    first, last, circuit, mzis = random.uniform(0, 6, 4), random.uniform(0, 6, 4), Circuit(4), []
    for port in range(4):
        circuit.add(port, PS(first[port]))
    for mode in (0, 2, 1, 0, 1, 2, 2, 0):
        theta, phi = random.uniform(-3, 6, 2)
        phases = {"phi_a": phi, "phi_b": theta} if item.endswith("first") else {"phi_a": theta, "phi_b": phi}
        circuit.add(mode, catalog[item].build_circuit(**phases))
        mzis.append((mode, theta, phi))
    for port in range(4):
        circuit.add(port, PS(last[port]))
    add(f"Perceval '{item}'", convention, mzis, circuit.compute_unitary(), input=first, output=last)

print("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]")
