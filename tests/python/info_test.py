"""`optotorch info FILE.pt` looks at files that PyTorch has written, and never runs them."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import warnings

try:
    import torch
except ImportError as error:
    print(f"skipped: {sys.executable}: {error}")
    sys.exit(77)

PROGRAM = os.environ["OPTOTORCH_PROGRAM"]


class Acting(torch.nn.Module):
    """Its state is put back by a function of its own, and that does something else, too."""

    def __init__(self):
        super().__init__()
        self.register_buffer("b", torch.ones(3))

    def forward(self, x):
        return x

    @torch.jit.export
    def __getstate__(self):
        return (self.b, self.training)


class Writing(Acting):
    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool]):
        self.b = state[0]
        self.training = state[1]
        self.b = self.b + torch.from_file("victim", True, 4, dtype=torch.uint8).fill_(65)[0]


class Looping(Acting):
    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool]):
        self.b = state[0]
        self.training = state[1]
        i = 0
        while i < 10:
            i = i * 1


class Holding(torch.nn.Module):
    def __init__(self, buffer):
        super().__init__()
        self.register_buffer("b", buffer)

    def forward(self, x):
        return x


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.part = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.ReLU())
        self.register_buffer("field", torch.randn(3, dtype=torch.complex64))
        self.register_buffer("turned", torch.randn(3, 4, dtype=torch.float64).t())

    def forward(self, x):
        return self.part(x)


class Info(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def info(self, module):
        """What the program says of the file, but for the versions, and its exit code."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.jit.script(module).save(str(self.folder / "model.pt"))
        return self.look("model.pt")

    def look(self, name):
        result = subprocess.run([PROGRAM, "info", name], capture_output=True, text=True, cwd=self.folder, timeout=60)
        return result.returncode, result.stdout.partition("\n\n")[2] + result.stderr

    def test_hostile_files_are_not_run(self):
        (self.folder / "victim").write_bytes(b"mine")
        for module in (Writing(), Looping()):
            code, text = self.info(module)
            self.assertEqual(code, 0, text)
            self.assertIn("float32 [3]\n", text)
        self.assertEqual((self.folder / "victim").read_bytes(), b"mine")

    def test_what_no_memory_holds_is_named(self):
        code, text = self.info(Holding(torch.ones(3, device="meta")))
        self.assertEqual((code, text.split("\n")[0].split()), (0, ["b", "float32", "[3]", "on", "meta"]))
        code, text = self.info(Holding(torch.zeros(1).expand(2**40)))
        self.assertEqual(code, 0, text)
        self.assertIn("float32 [1099511627776], repeats 1 value", text)
        self.assertIn("sha256     none", text)

    def test_names_and_shapes(self):
        code, text = self.info(Network())
        self.assertEqual(code, 0, text)
        expected = {name: f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
                    for name, tensor in Network().state_dict().items()}
        lines = [line.split(maxsplit=1) for line in text.split("\n\n")[0].splitlines()]
        self.assertEqual(dict(lines), expected)

    def test_other_files(self):
        torch.save({"a": torch.ones(2)}, self.folder / "state.pt")
        (self.folder / "text.pt").write_text("hello")
        (self.folder / "empty.pt").write_bytes(b"")
        for name in ("state.pt", "text.pt", "empty.pt"):
            code, text = self.look(name)
            self.assertEqual(code, 2, text)
            self.assertIn("no TorchScript file", text)


if __name__ == "__main__":
    unittest.main()
