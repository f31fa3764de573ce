"""`optotorch decompose`: what it writes, that a run starts from it, and what it says of trouble."""

import cmath
import math
import struct
import tempfile
from pathlib import Path

from program import DATA, ProgramTest, main, npy, run, snapshot, tensors


def complex_npy(path, rows, kind="<c16"):
    """A NumPy file of complex numbers."""
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': ({len(rows)}, {len(rows[0])}), }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    values = [part for row in rows for z in row for part in (complex(z).real, complex(z).imag)]
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() +
                     struct.pack(f"<{len(values)}d", *values))


def values_of(path):
    """The float64 array of a .npy file: shape and values."""
    data = path.read_bytes()
    (length,) = struct.unpack("<H", data[8:10])
    head = eval(data[10 : 10 + length], {}, {})  # written by the program under test
    body = data[10 + length :]
    return head["shape"], struct.unpack(f"<{len(body) // 8}d", body)


def fourier(n):
    return [[cmath.exp(-2j * math.pi * j * k / n) / math.sqrt(n) for k in range(n)] for j in range(n)]


class DecomposeTest(ProgramTest):
    @classmethod
    def setUpClass(cls):  # nothing is trained beforehand
        cls.shared = Path(tempfile.mkdtemp())

    def decompose(self, *arguments):
        result = run("decompose", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_a_mesh_of_two_ports(self):
        # T = i [[e^{i phi} s, e^{i phi} c], [c, -s]] diag(e^{i gamma}), with theta = .6, phi = .4, gamma = (.1, .2).
        s, c, p = math.sin(.3), math.cos(.3), cmath.exp(.4j)
        g = [cmath.exp(.1j), cmath.exp(.2j)]
        complex_npy(self.folder / "u.npy", [[1j * p * s * g[0], 1j * p * c * g[1]], [1j * c * g[0], -1j * s * g[1]]])
        said = self.decompose(self.folder / "u.npy", "--out", self.folder / "out")
        self.assertIn("2 ports, 1 columns, 1 MZIs, fidelity 1.000000000000", said)
        for name, shape, expected in (("theta", (1, 1), [.6]), ("phi", (1, 1), [.4]), ("gamma", (2,), [.1, .2])):
            found = values_of(self.folder / f"out/mesh0_{name}.npy")
            self.assertEqual(found[0], shape)
            for value, right in zip(found[1], expected, strict=True):
                self.assertAlmostEqual(value, right, places=12)

    def test_several_matrices_and_every_layout(self):
        complex_npy(self.folder / "a.npy", fourier(5))
        npy(self.folder / "b.npy", (3, 3), [0, 1, 0, 0, 0, 1, 1, 0, 0])  # real
        for k, options in enumerate((("--grid", "triangular"), ("--phi-arm", "input"), ("--zero-state", "bar"),
                                     ("--idle-ports", "bar"))):
            out = self.folder / str(k)
            said = self.decompose(self.folder / "a.npy", self.folder / "b.npy", "--out", out, *options)
            self.assertEqual(said.count("fidelity 1.000000000000"), 2, said)
            self.assertEqual(sorted(path.name for path in out.iterdir()),
                             ["layouts.json", *(f"mesh{m}_{what}.npy" for m in (0, 1) for what in ("gamma", "phi", "theta"))])

    def test_a_run_starts_from_it(self):
        # The layout of the networks mpnn: 64 ports, idle ones in the bar state.
        for k in range(3):
            complex_npy(self.folder / f"{k}.npy", fourier(64))
        out, trained = self.folder / "phases", self.folder / "run"
        self.decompose(*(self.folder / f"{k}.npy" for k in range(3)), "--out", out, "--idle-ports", "bar")
        result = run("train", "--data-root", DATA, "--network", "mpnn", "--rule", "bp", "--epochs", 1,
                     "--samples", 50, "--batch-size", 50,
                     "--lr", 1e-12, "--quiet", "--start", out, "--out", trained)
        self.assertEqual(result.returncode, 0, result.stderr)
        slots = values_of(out / "mesh0_theta.npy")[1]
        thetas = [slots[32 * column + k] for column in range(64) for k in range(32 - column % 2)]
        found = [data for name, (kind, shape, data) in tensors(trained / "checkpoint.safetensors").items()
                 if name.startswith("model/") and name.endswith(".theta") and (shape, kind) == ([len(thetas)], "F32")]
        self.assertEqual(len(found), 3)
        for data in found:
            for value, right in zip(struct.unpack(f"<{len(thetas)}f", data), thetas, strict=True):
                self.assertAlmostEqual(value, right, places=5)

    def test_phases_of_another_layout_start_nothing(self):
        for k in range(3):
            complex_npy(self.folder / f"{k}.npy", fourier(64))
        out, trained = self.folder / "phases", self.folder / "run"
        self.decompose(*(self.folder / f"{k}.npy" for k in range(3)), "--out", out)
        self.rejected("train", "--data-root", DATA, "--network", "mpnn", "--rule", "bp", "--start", out, "--out", trained,
                      say=("layouts.json", "idle_port", '"bar"', '"wire"'))
        self.assertFalse(trained.exists())

    def test_matrices_that_are_not_unitary(self):
        noisy = [[1, .01], [0, 1]]
        complex_npy(self.folder / "u.npy", noisy)
        out = self.folder / "out"
        self.rejected("decompose", self.folder / "u.npy", "--out", out, say=("u.npy", "unitary", "--nearest"))
        self.assertFalse(out.exists())
        said = self.decompose(self.folder / "u.npy", "--out", out, "--nearest")
        # The polar factor rotates by t, tan(t) = .005: F = |2 cos t + .01 sin t|^2 / (2 (2 + 1e-4)).
        t = math.atan(.005)
        expected = (2 * math.cos(t) + .01 * math.sin(t)) ** 2 / (2 * (2 + 1e-4))
        self.assertIn(f"fidelity {expected:.12f}", said)

    def test_trouble(self):
        out = self.folder / "out"
        good, bad = self.folder / "good.npy", self.folder / "bad.npy"
        complex_npy(good, fourier(3))
        for rows, say in (([[1, 0]], "square"), ([[1]], "2 x 2"), ([[math.nan, 0], [0, 1]], "finite")):
            complex_npy(bad, rows)
            self.rejected("decompose", good, bad, "--out", out, say=("bad.npy", say))
            self.assertFalse(out.exists())  # the good one is not left there alone
        complex_npy(bad, [[1, 0], [0, 0]])
        self.rejected("decompose", bad, "--nearest", "--out", out, say=("bad.npy", "full rank"))
        self.rejected("decompose", self.folder / "absent.npy", "--out", out, say=("absent.npy",))
        self.decompose(good, "--out", out)
        before = snapshot(out)
        self.rejected("decompose", good, "--out", out, say=("--out", "empty"))
        self.assertEqual(snapshot(out), before)


main()
