"""What the program exports, as a Python without OptoTorch uses it: gradients, fine-tuning, double precision."""

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
DATA = pathlib.Path(__file__).resolve().parents[2] / "data"


def run(*arguments):
    subprocess.run([PROGRAM, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


class Export(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.set_num_threads(1)
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.path = pathlib.Path(cls.folder.name)
        run("train", "--data-root", DATA, "--network", "mpnn", "--rule", "bp", "--samples", 100, "--batch-size", 50,
            "--epochs", 1, "--out", cls.path / "run")
        run("export", cls.path / "run", "--out", cls.path / "single.pt")
        run("export", cls.path / "run", "--out", cls.path / "double.pt", "--float64")
        run("export", cls.path / "run", "--out", cls.path / "trainable.pt", "--trainable")

    def setUp(self):
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.manual_seed(0)

    def load(self, name):
        return torch.jit.load(str(self.path / name))

    def test_gradient_at_every_call(self):
        for name in ("single.pt", "double.pt"):
            model = self.load(name)
            images = torch.rand(3, 1, 28, 28, dtype=torch.float64 if name == "double.pt" else torch.float32)
            gradients = []
            for _ in range(4):
                leaf = images.clone().requires_grad_()
                model(leaf).square().sum().backward()
                gradients.append(leaf.grad)
            largest = gradients[0].abs().max()
            self.assertGreater(largest, 0)
            for gradient in gradients[1:]:
                self.assertLessEqual((gradient - gradients[0]).abs().max(), 1e-5 * largest)

    def test_any_size(self):
        model = self.load("single.pt")
        for shape in ((0, 1, 28, 28), (1, 1, 28, 28), (17, 1, 28, 28), (2, 1, 32, 30)):
            self.assertEqual(model(torch.rand(shape)).shape, (shape[0], 10))
        self.assertTrue(model(torch.zeros(2, 1, 28, 28)).isfinite().all())
        with self.assertRaisesRegex(Exception, "FourierLens.*expected .*1, .*got .*3, 28, 28"):
            model(torch.rand(2, 3, 28, 28))

    def test_double(self):
        model, expected = self.load("single.pt").double(), self.load("double.pt")
        images = torch.rand(5, 1, 28, 28, dtype=torch.float64)
        output = model(images)
        self.assertEqual(output.dtype, torch.float64)
        self.assertLessEqual((output - expected(images)).abs().max(), 1e-5 * expected(images).abs().max())

    def test_trainable(self):
        self.assertEqual(list(self.load("single.pt").parameters()), [])
        model = self.load("trainable.pt")
        names = [name for name, _ in model.named_parameters()]
        self.assertEqual(names, [f"layer{n}.matrix_transposed" for n in (1, 3, 5)])
        images, target = torch.rand(20, 1, 28, 28), torch.arange(20) % 10
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        losses = []
        for _ in range(6):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(images), target)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        self.assertLess(losses[-1], losses[0])
        model.save(str(self.path / "tuned.pt"))
        self.assertTrue(torch.equal(self.load("tuned.pt")(images), model(images)))


if __name__ == "__main__":
    unittest.main()
