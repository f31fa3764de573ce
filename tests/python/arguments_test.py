"""Wrong arguments are a ValueError that names operator, argument, what was expected and what came; right ones give the
same shapes and types on real, meta and fake tensors."""

import itertools
import unittest

from operators import differentiable, elementwise_cases, filter_cases, free_space_cases, hop_cases, mesh_case, ops, torch

from torch._subclasses.fake_tensor import FakeTensorMode


def meta(arguments):
    return tuple(a.to("meta") if isinstance(a, torch.Tensor) else a for a in arguments)


class Rejections(unittest.TestCase):
    def rejects(self, call, *words):
        with self.assertRaises(ValueError) as caught:
            call()
        text = str(caught.exception)
        for word in (*words, "expected", "got"):
            self.assertIn(word, text)

    def test_mesh(self):
        (field, theta, phi, screen, error, loss), keywords = mesh_case(ports=5, columns=7)
        wrong = {
            "theta": [(field, theta[:-1], phi), (field, theta.float(), phi), (field, theta[None], phi),
                      (field[None], theta, phi)],
            "phi": [(field, theta, torch.cat([phi, phi])), (field, theta, phi.to(torch.complex128))],
            "screen": [(field, theta, phi, screen[1:])],
            "splitter_error": [(field, theta, phi, screen, error[:, :1]), (field, theta, phi, None, 5 * error / error)],
            "transmission": [(field, theta, phi, None, None, loss.t()), (field, theta, phi, None, None, -loss)],
            "input": [(field.real, theta, phi), (field[None, None], theta, phi), (field[0], theta, phi)],
        }
        for name, cases in wrong.items():
            for arguments in cases:
                for arguments in (arguments, differentiable(arguments)):
                    with self.subTest(argument=name, shapes=[a if a is None else a.shape for a in arguments]):
                        self.rejects(lambda: ops.mzi_mesh(*arguments, **keywords), "mzi_mesh", name)
        for name in ("theta", "phi"):
            for value in (float("nan"), float("inf"), -float("inf")):
                tensors = {"theta": theta.clone(), "phi": phi.clone()}
                tensors[name][3] = value
                with self.subTest(argument=name, value=value):
                    self.rejects(lambda: ops.mzi_mesh(field, **tensors, **keywords), "mzi_mesh", name, "finite")

    def test_mesh_conventions(self):
        arguments, keywords = mesh_case()
        for name, value in dict(grid="hexagonal", phi_arm="Input", zero_state="", idle_port="wires").items():
            with self.subTest(argument=name):
                self.rejects(lambda: ops.mzi_mesh(*arguments, **{**keywords, name: value}), "mzi_mesh", name, value)
        for columns in (0, -1):
            self.rejects(lambda: ops.mzi_mesh(*arguments, **{**keywords, "columns": columns}), "mzi_mesh", "columns")

    def test_a_field_without_ports(self):
        _, theta, phi, *_ = mesh_case()[0]
        self.rejects(lambda: ops.mzi_mesh(torch.zeros(3, 1, dtype=torch.complex128), theta, phi, columns=7), "mzi_mesh",
                     "ports")

    def test_mesh_backward(self):
        arguments, keywords = mesh_case(ports=5, columns=7)
        output = ops.mzi_mesh(*arguments, **keywords)
        field, theta, *rest = arguments
        signal = torch.randn_like(output)
        self.rejects(lambda: ops.mzi_mesh_backward(signal, field, output, theta[1:], *rest, **keywords), "theta")
        self.rejects(lambda: ops.mzi_mesh_backward(signal[1:], field, output, theta, *rest, **keywords), "dL_d")
        self.rejects(lambda: ops.mzi_mesh_backward(signal.real, field, output, theta, *rest, **keywords), "dL_d")

    def test_elementwise(self):
        z = torch.randn(3, 5, dtype=torch.complex128)
        for operator, arguments in elementwise_cases():
            name = str(operator).split(".")[-1]
            with self.subTest(operator=name):
                self.rejects(lambda: operator(arguments[0].real, *arguments[1:]), name, "field", "complex64", "float64")
                backward = getattr(ops, name + "_backward")
                self.rejects(lambda: backward(torch.zeros(7), *arguments), "dL_d")
        for call, *words in (
            (lambda: ops.photodetect(z, -1.), "photodetect"),
            (lambda: ops.photodetect(z, 0., -.1), "photodetect"),
            (lambda: ops.electro_optic(z, 1., 0., 0.), "electro_optic", "tap"),
            (lambda: ops.electro_optic(z, -.1, 0., 0.), "electro_optic", "tap"),
            (lambda: ops.electro_optic(z, float("nan"), 0., 0.), "electro_optic", "tap"),
            (lambda: ops.saturable_absorber(z, -1., 1.), "saturable_absorber", "depth"),
            (lambda: ops.saturable_absorber(z, 1., 0.), "saturable_absorber", "saturation"),
            (lambda: ops.mod_relu(z, torch.zeros(4, dtype=torch.float64)), "mod_relu", "bias"),
            (lambda: ops.mod_relu(z, torch.zeros(5)), "mod_relu", "bias"),
        ):
            with self.subTest(words=words):
                self.rejects(call, *words)


    def test_lengths_of_lists(self):
        """Three features: [] was a crash, [4] read beyond the list."""
        x, parameters = torch.zeros(2, 4, dtype=torch.complex64), torch.zeros(271, 2)
        for features in ([], [4], [4, 8], [4, 8, 16, 32], [4] * 100):
            for device in ("cpu", "meta"):
                for grad in (False, True):
                    z, p = (t.to(device, copy=True).requires_grad_(grad) for t in (x, parameters))
                    with self.subTest(features=features, device=device, grad=grad):
                        self.rejects(lambda: ops.sepn(z, p, features), "sepn", "features", "three numbers")
                        self.rejects(lambda: ops.sepn_backward(z, z, p, features), "features", "three numbers")
                        self.rejects(lambda: ops.sepn_double_backward(z, p, z, z, p, features), "features")

    def test_free_space(self):
        x, t = torch.randn(2, 3, 4, 5, dtype=torch.complex64), torch.randn(8, 9, dtype=torch.complex64)
        wrong = {
            "field": [(x.real, t, 4, 5), (x[0], t, 4, 5), (x, t[:3], 3, 5), (x, t[:, :4], 4, 4)],
            "transfer": [(x, t.real, 4, 5), (x, t.to(torch.complex128), 4, 5), (x, t[0], 4, 5), (x, t.expand(2, 8, 9), 4, 5),
                         (x, t.expand(1, 3, 8, 9), 4, 5)],
            "output window": [(x, t, 9, 5), (x, t, 4, 10), (x, t, 0, 5), (x, t, 4, -1)],
        }
        for name, cases in wrong.items():
            for arguments in cases:
                for given in (arguments, meta(arguments), differentiable(arguments)):
                    with self.subTest(argument=name, arguments=arguments[2:]):
                        self.rejects(lambda: ops.free_space(*given), "free_space", name)
        y = ops.free_space(x, t, 4, 5)
        for signal in (y[1:], y[:, :1], y.real, y[0], y.to(torch.complex128), torch.zeros(2, 3, 9, 5, dtype=y.dtype)):
            with self.subTest(signal=signal.shape, type=signal.dtype):
                self.rejects(lambda: ops.free_space_backward(signal, x, t), "free_space_backward", "dL_doutput")
        self.rejects(lambda: ops.free_space_backward(y, x, t[:3]), "free_space_backward", "field")
        self.rejects(lambda: ops.free_space(x.to("meta"), t, 4, 5), "free_space", "transfer", "a tensor on")

    def test_separable_hop(self):
        x, k = torch.randn(2, 3, 4, 4, dtype=torch.complex64), torch.randn(5, 4, dtype=torch.complex64)
        wrong = {"field": [(x.real, k, k), (x[0], k, k)],
                 "down": [(x, k.real, k), (x, k.t(), k), (x, k[0], k), (x, k.expand(2, 5, 4), k), (x, k.to(torch.complex128), k)],
                 "across": [(x, k, k.real), (x, k, k[:, :3]), (x, k, k.expand(1, 3, 5, 4))]}
        for name, cases in wrong.items():
            for arguments in cases:
                for given in (arguments, meta(arguments), differentiable(arguments)):
                    with self.subTest(argument=name, shapes=[a.shape for a in arguments]):
                        self.rejects(lambda: ops.separable_hop(*given), "separable_hop", name)
        y = ops.separable_hop(x, k, k)
        for signal in (y[1:], y[:, :1], y.real, y[0], y.to(torch.complex128), y[..., :4]):
            with self.subTest(signal=signal.shape, type=signal.dtype):
                self.rejects(lambda: ops.separable_hop_backward(signal, x, k, k), "separable_hop_backward", "dL_doutput")
        self.rejects(lambda: ops.separable_hop(x.to("meta"), k, k), "separable_hop", "down", "a tensor on")

    def test_every_face_rejects(self):
        """On meta tensors, too, and where autograd listens."""
        z, p = torch.randn(2, 3, dtype=torch.complex64), torch.zeros(3)
        x = torch.randn(2, 3)
        wrong = (
            (ops.photodetect, (z.real,)), (ops.photodetect, (z, -1.)), (ops.photodetect, (z, float("nan"))),
            (ops.photodetect, (z, 0., float("inf"))), (ops.photodetect_backward, (z, z)),
            (ops.electro_optic, (z.real, 0., 1., 1.)), (ops.electro_optic, (z, 2., 1., 1.)),
            (ops.electro_optic, (z, .1, float("nan"), 1.)), (ops.electro_optic_backward, (z[1:], z, .1, 1., 1.)),
            (ops.electro_optic_double_backward, (z, z.real, z, .1, 1., 1.)),
            (ops.saturable_absorber, (z, -1., 1.)), (ops.saturable_absorber, (z, float("inf"), 1.)),
            (ops.saturable_absorber_backward, (z, z, 1., 0.)), (ops.mod_relu, (z, torch.zeros(5))),
            (ops.mod_relu, (z.real, p)), (ops.mod_relu_backward, (z[0], z, p)), (ops.mod_relu, (z, p.double())),
            (ops.mod_relu_double_backward, (z, p[1:], z, z, p)), (ops.random_projection, (z, 5, 1)),
            (ops.random_projection, (x, 0, 1)), (ops.random_projection, (x, 5, 1, "norm")),
            (ops.random_projection, (x[0], 5, 1)), (ops.hadamard_projection, (z, 5, 1)),
            (ops.hadamard_projection, (x, -5, 1)), (ops.hadamard_projection, (x, 5, 1, -1)),
            (ops.hadamard_projection, (x[:, :0], 5, 1)), (ops.sepn, (z.real, torch.zeros(158, 2), [1, 1, 1])),
            (ops.sepn, (z, torch.zeros(157, 2), [1, 1, 1])), (ops.sepn, (z, torch.zeros(158, 2), [0, 1, 1])),
            (ops.sepn_backward, (z[1:], z, torch.zeros(158, 2), [1, 1, 1])),
            (ops.mzi_mesh, (torch.zeros((), dtype=torch.complex64), p, p)),
        )
        for operator, arguments in wrong:
            keywords = dict(columns=3) if operator is ops.mzi_mesh else {}
            faces = {"cpu": arguments, "meta": meta(arguments),
                     "autograd": tuple(a.clone().requires_grad_() if isinstance(a, torch.Tensor) else a for a in arguments)}
            for face, given in faces.items():
                with self.subTest(operator=str(operator), face=face, arguments=arguments[1:]):
                    self.rejects(lambda: operator(*given, **keywords), str(operator).split(".")[-1].split("_backward")[0]
                                 .split("_double")[0])

    def test_devices_are_not_mixed(self):
        z, bias = torch.randn(2, 3, dtype=torch.complex64), torch.zeros(3)
        for arguments in ((z.to("meta"), bias), (z, bias.to("meta"))):
            self.rejects(lambda: ops.mod_relu(*arguments), "mod_relu", "bias", "a tensor on")
        self.rejects(lambda: ops.photodetect_backward(z.real.to("meta"), z), "dL_dintensity")

    def test_sparse_tensors_are_not_read(self):
        z = torch.eye(3, dtype=torch.complex64)
        self.rejects(lambda: ops.electro_optic_double_backward(z.to_sparse(), z, z, .1, 1., 1.), "v", "a dense tensor")


class Shapes(unittest.TestCase):
    def agree(self, operator, arguments, keywords=None):
        keywords = keywords or {}

        def summary(result):
            results = result if isinstance(result, (tuple, list)) else (result,)
            return [(tuple(r.shape), r.dtype) for r in results]

        expected = summary(operator(*arguments, **keywords))
        on_meta = operator(*meta(arguments), **keywords)
        self.assertEqual(summary(on_meta), expected)
        with FakeTensorMode() as mode:
            fakes = tuple(mode.from_tensor(a) if isinstance(a, torch.Tensor) else a for a in arguments)
            self.assertEqual(summary(operator(*fakes, **keywords)), expected)

    def test_mesh(self):
        for batch in (0, 1, 3):
            for real, meshes in itertools.product((torch.float32, torch.float64), (None, 1, 3)):
                for present in (False, True):
                    with self.subTest(batch=batch, real=real, present=present, meshes=meshes):
                        arguments, keywords = mesh_case(batch=batch, real=real, screen=present, error=present,
                                                        loss=present, meshes=meshes)
                        self.agree(ops.mzi_mesh, arguments, keywords)
                        output = ops.mzi_mesh(*arguments, **keywords)
                        self.agree(ops.mzi_mesh_backward, (output, arguments[0], output, *arguments[1:]), keywords)

    def test_elementwise(self):
        for complex_type in (torch.complex64, torch.complex128):
            for operator, arguments in elementwise_cases(complex_type):
                with self.subTest(operator=str(operator), type=complex_type):
                    self.agree(operator, arguments)
                    backward = getattr(ops, str(operator).split(".")[-1] + "_backward")
                    self.agree(backward, (operator(*arguments), *arguments))

    def test_free_space(self):
        for complex_type in (torch.complex64, torch.complex128):
            for operator, arguments in free_space_cases(complex_type):
                with self.subTest(shapes=[a.shape for a in arguments[:2]], type=complex_type):
                    self.agree(operator, arguments)
                    signal = operator(*arguments)
                    for wanted in itertools.product((False, True), repeat=2):
                        self.agree(ops.free_space_backward, (signal, *arguments[:2], *wanted))

    def test_separable_hop(self):
        for complex_type in (torch.complex64, torch.complex128):
            for operator, arguments in hop_cases(complex_type):
                with self.subTest(shapes=[a.shape for a in arguments], type=complex_type):
                    self.agree(operator, arguments)
                    signal = operator(*arguments)
                    for wanted in itertools.product((False, True), repeat=2):
                        self.agree(ops.separable_hop_backward, (signal, *arguments, *wanted))

    def test_filter_bank(self):
        for complex_type in (torch.complex64, torch.complex128):
            for operator, (x, coefficients, *rest) in filter_cases(complex_type):
                with self.subTest(shapes=[x.shape, coefficients.shape], rest=rest, type=complex_type):
                    self.agree(operator, (x, coefficients, *rest))
                    signal = operator(x, coefficients, *rest)
                    for wanted in itertools.product((False, True), repeat=2):
                        self.agree(ops.filter_bank_backward, (signal, x, coefficients, *rest, *wanted))


if __name__ == "__main__":
    unittest.main()
