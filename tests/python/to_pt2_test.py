"""tools/to_pt2.py: a .pt2 of what the program exports, loaded by torch.export."""

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

PROGRAM = os.environ.get("OPTOTORCH_PROGRAM")
if not PROGRAM:
    print("skipped: no program")
    sys.exit(77)
ROOT = pathlib.Path(__file__).resolve().parents[2]
NETWORKS = sys.argv.pop(1).split(",") if len(sys.argv) > 1 and "," in sys.argv[1] else ("mnist-hybrid", "oss-3", "mpnn")


def run(*arguments):
    subprocess.run([PROGRAM, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def to_pt2(*arguments):
    return subprocess.run([sys.executable, ROOT / "tools/to_pt2.py", *map(str, arguments)], capture_output=True, text=True)


class ToPt2(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        warnings.simplefilter("ignore", DeprecationWarning)
        cls.path = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))

    def exported(self, network):
        folder = self.path / network
        if not folder.exists():
            run("train", "--data-root", ROOT / "data", "--network", network, "--rule", "bp", "--samples", 64, "--batch-size", 32,
                "--epochs", 1, "--validation", 0, "--quiet", "--out", folder)
            run("export", folder, "--out", folder / "m.pt", "--examples", folder / "e.safetensors")
        return folder

    def test_any_batch_of_each_network(self):
        for network in NETWORKS:
            with self.subTest(network):
                folder = self.exported(network)
                result = to_pt2(folder / "m.pt", folder / "m.pt2", "--example", folder / "e.safetensors")
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
                program = torch.export.load(folder / "m.pt2").module(check_guards=False)
                script = torch.jit.load(folder / "m.pt")
                for batch in (1, 5, 64):
                    x = torch.rand(batch, 1, 28, 28)
                    with torch.no_grad():
                        expected, got = script(x), program(x)
                    self.assertLessEqual((expected - got).abs().max().item(), 1e-5 * expected.abs().max().item())

    def test_wrong_input_is_one_error(self):
        folder = self.exported("mnist-hybrid")
        for arguments, word in (((folder / "absent.pt", folder / "x.pt2", "--shape", "2,1,28,28"), "absent.pt"),
                                ((folder / "m.pt", folder / "x.pt2", "--shape", "2,x"), "--shape"),
                                ((folder / "m.pt", folder / "x.pt2", "--shape", "1,1,28,28"), "shape"),
                                ((folder / "m.pt", folder / "x.pt2", "--shape", "2,3"), "")):
            result = to_pt2(*arguments)
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertIn(word, result.stderr)
            self.assertNotIn("Traceback", result.stderr)
            self.assertFalse((folder / "x.pt2").exists())


if __name__ == "__main__":
    unittest.main()
