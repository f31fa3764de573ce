"""The package `optotorch`: its modules in PyTorch, meshes and matrices, network files, and what is said without what it
needs. Layer by layer: package_layers_test.py."""

import copy
import os
import subprocess
import sys
import tempfile
import threading
import unittest
import warnings
from pathlib import Path

from operators import layer_cases, run_tests, skip, torch

try:
    import optotorch
except ImportError as error:
    skip(f"{sys.executable}: {error}")

from optotorch import _library, nn

torch.set_num_threads(1)


class AModuleOfPyTorch(unittest.TestCase):
    def test_opcheck(self):
        for layer, x in layer_cases():
            description, parameters, _, state = torch.ops.optotorch.layer_state(layer)
            with self.subTest(description):
                state = [value.requires_grad_() if k < len(parameters) else value for k, value in enumerate(state)]
                options = dict(layer=description, training=True)
                results = torch.library.opcheck(torch.ops.optotorch.layer, (x.clone().requires_grad_(), state), options)
                self.assertEqual(set(results.values()), {"SUCCESS"}, results)
                output = torch.ops.optotorch.layer(x, state, gradient=True, **options)[0].detach()
                held = [value.detach() for value in state]
                results = torch.library.opcheck(torch.ops.optotorch.layer_backward,
                                                (torch.randn_like(output), x, output, held), options)
                self.assertEqual(set(results.values()), {"SUCCESS"}, results)

    def test_double_precision(self):
        torch.manual_seed(1)
        mesh = nn.MziMesh(5).double()
        x = torch.randn(3, 5, dtype=torch.complex128, requires_grad=True)
        names = list(mesh.state_dict())
        state = [value.detach().clone().requires_grad_() for value in mesh.parameters()]

        def call(x, *state):
            return torch.func.functional_call(mesh, dict(zip(names, state)), (x,))

        self.assertTrue(torch.autograd.gradcheck(call, (x, *state)))

    def test_options(self):
        mesh = nn.MziMesh(6, grid="triangular")
        self.assertEqual((mesh.ports, mesh.grid), (6, "triangular"))
        self.assertIn("ports=6", repr(mesh))
        self.assertIn("grid: 'rectangular' | 'triangular' = 'rectangular'", nn.MziMesh.__doc__)
        self.assertTrue(str(nn.WeightBank.__signature__).startswith("(in_features, out_features, bits=0"))
        for call, words in ((lambda: nn.MziMesh(6, grid="hexagonal"), ("grid", "rectangular", "hexagonal")),
                            (lambda: nn.MziMesh(1), ("MziMesh", "ports")),
                            (lambda: nn.MziMesh("many"), ("ports", "many")),
                            (lambda: nn.Convolution(torch.nn.Linear(4, 2), [2, 2]), ("component", "Linear")),
                            (lambda: nn.MziMesh(4)(torch.zeros(2, 5, dtype=torch.complex64)), ("MziMesh", "input")),
                            (lambda: nn.MziMesh(4)(torch.zeros(2, 4)), ("MziMesh", "input"))):
            with self.assertRaises(ValueError) as caught:
                call()
            for word in words:
                self.assertIn(word, str(caught.exception))
        for call in (lambda: nn.MziMesh(), lambda: nn.MziMesh(4, portz=3)):
            self.assertRaises(TypeError, call)

    def test_stubs_say_what_is_there(self):
        from optotorch import _stubs
        written = Path(optotorch.__file__).parent / "nn.pyi"
        self.assertEqual(written.read_text(), _stubs.stubs(), "python -m optotorch._stubs > python/optotorch/nn.pyi")

    def test_a_convolution_shares_its_component(self):
        bank = nn.WeightBank(18, 4)
        layer = nn.Convolution(bank, [3, 3], padding=[1, 1])
        self.assertEqual(list(layer.state_dict()), ["component.detuning", "component.bias"])
        self.assertIs(layer.component.detuning, bank.detuning)
        x = torch.randn(2, 2, 5, 5)
        expected = torch.nn.functional.conv2d(x, bank.matrix().reshape(4, 2, 3, 3), bank.bias, padding=1)
        self.assertTrue(torch.allclose(layer(x), expected, atol=1e-6))

    def test_given_weights(self):
        bank = nn.WeightBank(3, 2)
        weight = torch.tensor([[.5, -.25, .125], [0, .75, -.5]])
        bank.set_matrix(weight)
        self.assertTrue(torch.allclose(bank.matrix(), weight, atol=1e-6))
        with self.assertRaises(ValueError):
            bank.set_matrix(weight * 4)
        self.assertTrue(torch.allclose(bank.matrix(), weight, atol=1e-6))
        with self.assertRaises(ValueError):
            nn.Photodetector().matrix()

    def test_learns_in_a_network(self):
        torch.manual_seed(2)
        x = torch.rand(64, 8)
        target = (x[:, :4].sum(1) > x[:, 4:].sum(1)).long()
        net = torch.nn.Sequential(nn.Modulator(8), nn.MziMesh(8), nn.Photodetector(), torch.nn.Linear(8, 2))
        adam = torch.optim.Adam(net.parameters(), lr=.03)
        for _ in range(150):
            adam.zero_grad()
            loss = torch.nn.functional.cross_entropy(net(x), target)
            loss.backward()
            adam.step()
        self.assertLess(loss.item(), .2)

    def test_electronic_modules(self):
        torch.manual_seed(4)
        x = torch.randn(2, 3, 8, dtype=torch.float64)
        image = torch.rand(2, 1, 8, 8, dtype=torch.float64)
        linear = nn.LinearMap(8, 5).double()
        weight, bias = linear.parameters()
        for module, value, expected in (
                (nn.Permute([0, 2, 1]), x, x.transpose(1, 2)),
                (nn.Narrow(2, 0, 2), x, x[:, 0:3:2]),
                (nn.TokenMean(), x, x.mean(1)),
                (nn.L2Normalize(), x[:, 0], x[:, 0] / x[:, 0].norm(dim=1, keepdim=True)),
                (nn.Normalize([.5], [.25]), image, (image - .5) / .25),
                (linear, x, x @ weight.T + bias),
                (nn.SelfAttention(8, 2).double(), x, None),
                (nn.TransformerBlock(8, 2, norm="pre").double(), x, None),
                (nn.SliceLinear(3, 8, 4).double(), x.flatten(1), None),
                (nn.PatchEmbedding(1, 8, 4, 6).double(), image, None)):
            with self.subTest(type(module).__name__):
                if expected is not None:
                    self.assertTrue(torch.allclose(module(value), expected, atol=1e-12))
                names = [name for name, _ in module.named_parameters()]
                state = [own.detach().clone().requires_grad_() for own in module.parameters()]

                def call(value, *state):
                    return torch.func.functional_call(module, dict(zip(names, state)), (value,))

                self.assertTrue(torch.autograd.gradcheck(call, (value.clone().requires_grad_(), *state)))
        tokens = nn.TokenEmbedding(11, 5, 6)
        self.assertEqual(tokens(torch.randint(11, (3, 5))).shape, (3, 5, 6))
        tokens(torch.randint(11, (3, 5))).sum().backward()
        self.assertTrue(all(own.grad is not None for own in tokens.parameters()))
        with self.assertRaises(ValueError) as caught:
            nn.TransformerBlock(8, 2, dropout=.1)
        self.assertIn("dropout", str(caught.exception))

    def test_frozen_parameters_and_inputs_without_gradients(self):
        mesh = nn.MziMesh(4)
        mesh.theta.requires_grad_(False)
        x = torch.randn(3, 4, dtype=torch.complex64)
        mesh(x).abs().sum().backward()
        self.assertIsNone(mesh.theta.grad)
        self.assertIsNotNone(mesh.phi.grad)
        with torch.no_grad():
            self.assertFalse(mesh(x).requires_grad)

    def test_threads_do_not_meet(self):
        mesh = nn.MziMesh(16)
        x = torch.randn(50, 16, dtype=torch.complex64)
        expected = mesh(x).detach()
        wrong = []

        def work(scale):
            own = copy.deepcopy(mesh)
            with torch.no_grad():
                own.theta.mul_(scale)
            mine = own(x).detach()
            for _ in range(20):
                if not torch.equal(own(x), mine) or not torch.equal(mesh(x), expected):
                    wrong.append(scale)

        threads = [threading.Thread(target=work, args=(scale,)) for scale in (.5, .75, 1.25, 1.5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_nothing_is_held_between_calls(self):
        import gc
        import weakref
        mesh = nn.MziMesh(8)
        alive = weakref.ref(mesh.theta)
        mesh(torch.randn(3, 8, dtype=torch.complex64)).abs().sum().backward()
        del mesh
        gc.collect()
        self.assertIsNone(alive())

    def test_wrong_state(self):
        mesh = nn.MziMesh(4)
        x = torch.randn(2, 4, dtype=torch.complex64)
        layer = torch.ops.optotorch.layer
        for state in ([], list(mesh.parameters())[:2], [torch.zeros(3) for _ in mesh.parameters()]):
            with self.assertRaises(ValueError) as caught:
                layer(x, state, layer=mesh.description)
            self.assertIn("state", str(caught.exception))
        for description in ("", "{}", "[1]", '{"type": "MziMesh"}', '{"type": "Linear", "in_features": 2, "out_features": 2}'):
            with self.assertRaises(ValueError):
                layer(x, list(mesh.parameters()), layer=description)
        with self.assertRaises((ValueError, RuntimeError)):
            mesh.load_state_dict(nn.MziMesh(5).state_dict())
        there = layer(x.to("meta"), [value.to("meta") for value in mesh.parameters()], layer=mesh.description)
        self.assertEqual((there[0].shape, there[0].dtype), (x.shape, x.dtype))


class MeshesAndMatrices(unittest.TestCase):
    def test_there_and_back(self):
        torch.manual_seed(3)
        u = optotorch.haar_unitary(6)
        for layout in ({}, {"grid": "triangular"}, {"phi_arm": "input", "zero_state": "bar", "idle_port": "bar"}):
            phases = optotorch.decompose(u, **layout)
            self.assertLess((optotorch.reconstruct(phases, 6, **layout) - u).abs().max(), 1e-12)
            mesh = nn.MziMesh(6, **layout).double()
            mesh.load_state_dict(phases._asdict())
            self.assertLess((mesh(torch.eye(6, dtype=torch.complex128)).T - u).abs().max(), 1e-12)
            there = optotorch.convert(optotorch.decompose(u), 6, to=layout)
            self.assertLess((optotorch.reconstruct(there, 6, **layout) - u).abs().max(), 1e-12)
        self.assertAlmostEqual(optotorch.fidelity(u, u * 2j), 1, places=12)

    def test_wrong(self):
        for call, word in ((lambda: optotorch.decompose(torch.ones(3, 3)), "decompose"),
                           (lambda: optotorch.decompose(torch.ones(3, 4)), "ports"),
                           (lambda: optotorch.decompose(torch.eye(3), grid="round"), "grid"),
                           (lambda: optotorch.haar_unitary(0), "ports"),
                           (lambda: optotorch.reconstruct(optotorch.decompose(torch.eye(3)), 4), "theta")):
            with self.assertRaises(ValueError) as caught:
                call()
            self.assertIn(word, str(caught.exception))


class NetworkFiles(unittest.TestCase):
    NETWORKS = Path(os.environ["OPTOTORCH_NETWORKS"])

    def test_networks_of_the_program(self):
        tried = 0
        with tempfile.TemporaryDirectory() as folder:
            for path in sorted(self.NETWORKS.glob("*.json")):
                if path.stem.startswith(("charlm", "d2nn", "dpnn")):  # of text, or large
                    continue
                with self.subTest(path.stem):
                    torch.manual_seed(5)
                    sizes = dict(channels=1, height=28, width=28, pixels=784, classes=10)
                    net = optotorch.build(path.read_text(), **sizes)
                    saved = Path(folder) / "network.safetensors"
                    optotorch.save_network(net, saved)
                    again = optotorch.load_network(saved)
                    self.assertEqual(optotorch.describe(again), optotorch.describe(net))
                    self.assertEqual(list(again.state_dict()), list(net.state_dict()))
                    x = torch.rand(3, 1, 28, 28)
                    net.eval(), again.eval()
                    with torch.no_grad():
                        self.assertTrue(torch.equal(net(x), again(x)))
                    tried += 1
        self.assertGreater(tried, 15)

    def test_a_run_of_the_program(self):
        program, data = os.environ.get("OPTOTORCH_PROGRAM"), os.environ["OPTOTORCH_DATA"]
        if program is None:
            self.skipTest("the program was not built")
        with tempfile.TemporaryDirectory() as folder:
            run, path = f"{folder}/run", f"{folder}/network.safetensors"
            for arguments in (("train", "--data-root", data, "--epochs", "1", "--out", run, "--quiet"),
                              ("export", run, "--network", path, "--out", f"{folder}/model.pt")):
                subprocess.run([program, *arguments], check=True, capture_output=True)
            net = optotorch.load_network(path).eval()
            exported = torch.jit.load(f"{folder}/model.pt")
            for batch in (1, 7, 64):
                x = torch.rand(batch, 1, 28, 28)
                with torch.no_grad():
                    self.assertLess((net(x) - exported(x)).abs().max(), 1e-5)

    def test_wrong_files(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.safetensors"
            self.assertRaises(ValueError, optotorch.load_network, path)
            path.write_bytes(b"damaged")
            with self.assertRaises(ValueError) as caught:
                optotorch.load_network(path)
            self.assertIn(str(path), str(caught.exception))
            mesh = optotorch.Hybrid(nn.MziMesh(4), nn.Photodetector())
            mesh[0].phi.requires_grad_(False)
            optotorch.save_network(mesh, path)
            learn = {name: parameter.requires_grad for name, parameter in optotorch.load_network(path).named_parameters()}
            self.assertEqual(learn, {"0.theta": True, "0.phi": False, "0.gamma": True})
            whole = path.read_bytes()
            for net in (optotorch.Hybrid(torch.nn.Transformer(8, 2, 1, 1, 8)),
                        optotorch.Hybrid(torch.nn.Sequential(torch.nn.Hardswish()))):
                with self.assertRaises(ValueError):
                    optotorch.save_network(net, path)
            self.assertEqual(path.read_bytes(), whole)
            with self.assertRaises(RuntimeError):
                optotorch.load_network(path).load_state_dict(optotorch.Hybrid(nn.MziMesh(5)).state_dict())


class WithoutWhatItNeeds(unittest.TestCase):
    def test_another_torch(self):
        _library.check("2.13.5+cu130", "2.13.0")
        for other in ("2.14.0+cpu", "2.12.1", "3.13.0"):
            with self.assertRaises(ImportError) as caught:
                _library.check(other, "2.13.0")
            for word in ("torch", "2.13", other, "Install"):
                self.assertIn(word, str(caught.exception))

    def test_a_missing_or_damaged_library(self):
        package = Path(optotorch.__file__).parent
        with tempfile.TemporaryDirectory() as folder:
            other = Path(folder) / "optotorch"
            other.mkdir()
            for path in package.glob("*.py"):
                (other / path.name).write_bytes(path.read_bytes())
            (other / "lib").mkdir()
            for damaged in (False, True):
                if damaged:
                    (other / "lib" / "liboptotorch.so").write_bytes(b"damaged")
                done = subprocess.run([sys.executable, "-c", "import optotorch"], capture_output=True, text=True,
                                      env={**os.environ, "PYTHONPATH": folder})
                self.assertEqual(done.returncode, 1)
                self.assertIn("ImportError: optotorch: library: expected", done.stderr.splitlines()[-1])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    run_tests()
