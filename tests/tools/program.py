"""The program under test, small data for it, and what its tests have in common.
Usage of a test: X_test.py PROGRAM DATA_ROOT [unittest arguments]"""

import ast
import gzip
import json
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAM, DATA = sys.argv[1], Path(sys.argv[2])


def run(*arguments, **options):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, **options)


def main():
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=1)


def idx(path, dims, data, magic=None):
    """Writes a gzipped idx file; `dims` and `magic` may lie about the data."""
    head = struct.pack(">I", 0x0800 + len(dims) if magic is None else magic)
    head += b"".join(struct.pack(">I", d) for d in dims)
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(head + data)


def npy(path, shape, values):
    """Writes a NumPy file of float64."""
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() +
                     struct.pack(f"<{len(values)}d", *values))


def npy_values(path):
    """Shape and values of a NumPy file of float64."""
    data = path.read_bytes()
    (length,) = struct.unpack("<H", data[8:10])
    head = ast.literal_eval(data[10 : 10 + length].decode())
    assert head["descr"] == "<f8" and not head["fortran_order"], head
    return head["shape"], [value for (value,) in struct.iter_unpack("<d", data[10 + length :])]


def tensors(path):
    """Everything that a safetensors file holds, but for its notes."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    head = json.loads(data[8 : 8 + length])
    return {name: (entry["dtype"], entry["shape"],
                   data[8 + length + entry["data_offsets"][0] : 8 + length + entry["data_offsets"][1]])
            for name, entry in head.items() if name != "__metadata__"}


def small_text(path, words=3000):
    """Some words, drawn the same every time, one of them beyond ASCII."""
    draw = random.Random(1)
    known = "the cat sat on a mat\n and naïve dogs ran after it, slowly; so what?".split(" ")
    path.write_text(" ".join(draw.choice(known) for _ in range(words)), encoding="utf-8")
    return path


def tiny_mnist(folder, train=256, test=64):
    """A small data set cut from the repository's: the first images."""
    raw = Path(folder) / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", train), ("t10k", test)):
        with gzip.open(DATA / "MNIST/raw" / f"{part}-images-idx3-ubyte.gz") as file:
            images = file.read()[16 : 16 + count * 784]
        with gzip.open(DATA / "MNIST/raw" / f"{part}-labels-idx1-ubyte.gz") as file:
            labels = file.read()[8 : 8 + count]
        idx(raw / f"{part}-images-idx3-ubyte.gz", (count, 28, 28), images)
        idx(raw / f"{part}-labels-idx1-ubyte.gz", (count,), labels)
    return Path(folder)


def snapshot(folder):
    return {p.relative_to(folder): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


class Instrument:
    """`optotorch instrument` at work, as a context."""

    def __init__(self, file, *arguments):
        self.address = f"unix:{file}"
        self.process = subprocess.Popen([PROGRAM, "instrument", "--listen", self.address, *map(str, arguments)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.says = self.process.stdout.readline().strip()

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class ProgramTest(unittest.TestCase):
    MAKES_FINISHED = ("train", "--epochs", 2, "--quiet")  # with the small data
    LONGEST_ERROR = 3  # lines

    @classmethod
    def setUpClass(cls):
        cls.shared = Path(tempfile.mkdtemp())
        cls.data = tiny_mnist(cls.shared / "data")
        cls.finished = cls.shared / "finished"
        cls.done = run(*cls.MAKES_FINISHED, "--data-root", cls.data, "--out", cls.finished)
        assert cls.done.returncode == 0, cls.done.stderr

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.shared)

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(dir=self.shared))

    def copy(self):
        """Of what is finished."""
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.finished, copy)
        return copy

    def rejected(self, *arguments, say=(), **options):
        """Exit code 2, one error that says every word of `say`, no trace of an internal failure."""
        result = run(*arguments, **options)
        self.assertEqual(result.returncode, 2, f"{arguments}: {result.stdout}{result.stderr}")
        self.assertRegex(result.stderr, r"(?m)^optotorch: error: ")
        for word in say:
            self.assertIn(word, result.stderr)
        self.assertNotIn("frame #", result.stderr)
        self.assertLessEqual(len(result.stderr.strip().splitlines()), self.LONGEST_ERROR, result.stderr)
        return result.stderr

    def train(self, out, *arguments, data=None, epochs=2):
        return ("train", "--data-root", data or self.data, "--epochs", epochs, "--quiet", "--out", out, *arguments)
