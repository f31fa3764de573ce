"""Second derivatives, torch.func's transforms and tangents of every operator: right, or an error; never a silent 0."""

import itertools
import unittest

from operators import (differentiable, elementwise_cases, filter_cases, free_space_cases, hop_cases, mesh_case, ops,
                       projection_cases, torch)

from torch.autograd import gradcheck, gradgradcheck


def cases():
    """(name, function of tensors alone, tensors) for every operator with derivatives, small."""
    def bound(operator, arguments, keywords=None):
        places = [i for i, a in enumerate(arguments) if isinstance(a, torch.Tensor)]

        def function(*tensors):
            filled = list(arguments)
            for place, tensor in zip(places, tensors):
                filled[place] = tensor
            return operator(*filled, **(keywords or {}))

        return str(operator).split(".")[-1], function, tuple(arguments[i] for i in places)

    for conventions in (dict(arm="input", zero="bar", idle="bar"), dict(screen=False, error=False, loss=False),
                        dict(error=False, batch=1, meshes=2)):
        yield bound(ops.mzi_mesh, *mesh_case(**{**dict(batch=2, ports=3, columns=3), **conventions}))
    for operator, arguments in elementwise_cases():
        if arguments[0].dim() == 2 and not (operator is ops.electro_optic and arguments[1] == 0):
            yield bound(operator, tuple(a[..., :3] if isinstance(a, torch.Tensor) else a for a in arguments))
    for operator, arguments in itertools.chain(free_space_cases(), hop_cases(), filter_cases()):
        yield bound(operator, arguments)
    generator = torch.Generator().manual_seed(2)
    yield bound(ops.sepn, (torch.randn(2, 3, dtype=torch.complex128, generator=generator),
                           .4 * torch.randn(158, 2, dtype=torch.float64, generator=generator), [1, 1, 1]))


def loss_of(function):
    """A real function that bends what is linear, too, and is smooth where a field is 0."""
    def loss(*tensors):
        y = function(*tensors)
        return ((y * y.conj()).real + .1).log().sum()

    return loss


def flat_hessian(loss, tensors):
    """Central differences of the gradient, by real and imaginary parts: [n, n]."""
    leaves = [t.clone().requires_grad_() for t in tensors]

    def gradient():
        return torch.cat([torch.view_as_real(g).reshape(-1) if g.is_complex() else g.reshape(-1)
                          for g in torch.autograd.grad(loss(*leaves), leaves)])

    columns, h = [], 1e-5
    for leaf in leaves:
        values = (torch.view_as_real(leaf.data) if leaf.is_complex() else leaf.data).view(-1)
        for i in range(values.numel()):
            value = values[i].item()
            values[i] = value + h
            above = gradient()
            values[i] = value - h
            columns.append((above - gradient()) / (2 * h))
            values[i] = value
    return torch.stack(columns)


def real_arguments(loss, tensors):
    """The same loss of one real vector."""
    def join(vector):
        parts, at = [], 0
        for t in tensors:
            n = t.numel() * (2 if t.is_complex() else 1)
            part = vector[at:at + n]
            parts.append(torch.complex(part[0::2], part[1::2]).reshape(t.shape) if t.is_complex() else part.reshape(t.shape))
            at += n
        return loss(*parts)

    vector = torch.cat([torch.view_as_real(t).reshape(-1) if t.is_complex() else t.reshape(-1) for t in tensors])
    return join, vector


class SecondDerivatives(unittest.TestCase):
    def setUp(self):
        torch._C._functorch._set_vmap_fallback_warning_enabled(False)


    def test_hessians(self):
        """By reverse mode twice, by forward over reverse, and by torch.autograd: what differences say, and not 0."""
        for name, function, tensors in cases():
            with self.subTest(operator=name, shapes=[tuple(t.shape) for t in tensors]):
                loss, vector = real_arguments(loss_of(function), tensors)
                expected = flat_hessian(loss, [vector])
                self.assertGreater(expected.abs().max(), .1)
                scale = expected.abs().max().item()
                by = {"jacrev": torch.func.jacrev(torch.func.grad(loss)), "hessian": torch.func.hessian(loss),
                      "autograd": lambda v: torch.autograd.functional.hessian(loss, v)}
                for way, hessian in by.items():
                    if name == "sepn" and way != "autograd":
                        continue  # too many parameters for a loop of one at a time
                    with self.subTest(way=way):
                        torch.testing.assert_close(hessian(vector), expected, rtol=0, atol=3e-6 * scale)

    def test_every_argument(self):
        for name, function, tensors in cases():
            with self.subTest(operator=name, shapes=[tuple(t.shape) for t in tensors]):
                self.assertTrue(gradgradcheck(function, differentiable(tensors), fast_mode=True, eps=1e-7, atol=1e-4))

    def test_third_derivatives(self):
        for name, function, tensors in cases():
            with self.subTest(operator=name, shapes=[tuple(t.shape) for t in tensors]):
                if name == "sepn":
                    continue  # its second derivatives are constants between the corners
                loss = loss_of(function)

                def curvature(*leaves):
                    first = torch.autograd.grad(loss(*leaves), leaves, create_graph=True)
                    second = torch.autograd.grad(sum(g.abs().square().sum() for g in first), leaves, create_graph=True)
                    return (1 + sum(g.abs().square().sum() for g in second)).log()

                self.assertTrue(gradcheck(curvature, differentiable(tensors), fast_mode=True, eps=1e-6, atol=1e-4))

    def test_gradients_stay_those_of_the_kernel(self):
        """A graph of the gradient is kept for its derivative; the gradient is the same bits with and without."""
        for name, function, tensors in cases():
            with self.subTest(operator=name, shapes=[tuple(t.shape) for t in tensors]):
                leaves = differentiable(tensors)
                loss = loss_of(function)
                plain = torch.autograd.grad(loss(*leaves), leaves)
                kept = torch.autograd.grad(loss(*leaves), leaves, create_graph=True)
                for a, b in zip(plain, kept):
                    self.assertTrue(torch.equal(a, b))
                    self.assertFalse(a.requires_grad)

    def test_dark_fields(self):
        """No root or quotient of a dark port makes a derivative NaN."""
        for name, function, tensors in cases():
            with self.subTest(operator=name, shapes=[tuple(t.shape) for t in tensors]):
                leaves = differentiable((torch.zeros_like(tensors[0]), *tensors[1:]))
                first = torch.autograd.grad(function(*leaves).abs().square().sum(), leaves, create_graph=True)
                real = sum((torch.view_as_real(g) if g.is_complex() else g).square().sum() for g in first)
                for g in (*first, *torch.autograd.grad(real + (leaves[0] * 0).abs().square().sum(), leaves, allow_unused=True)):
                    if g is not None:
                        self.assertTrue(torch.isfinite(torch.view_as_real(g) if g.is_complex() else g).all())


class Transforms(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        # There is no batching rule: vmap calls the operators sample by sample, and says so each time.
        torch._C._functorch._set_vmap_fallback_warning_enabled(False)

    def test_grad_vjp_and_vmap(self):
        for name, function, tensors in cases():
            with self.subTest(operator=name, shapes=[tuple(t.shape) for t in tensors]):
                loss = loss_of(function)
                places = tuple(range(len(tensors)))
                leaves = differentiable(tensors)
                expected = torch.autograd.grad(loss(*leaves), leaves)
                for a, b in zip(torch.func.grad(loss, argnums=places)(*tensors), expected):
                    torch.testing.assert_close(a, b)
                _, pull = torch.func.vjp(loss, *tensors)
                for a, b in zip(pull(torch.ones((), dtype=torch.float64)), expected):
                    torch.testing.assert_close(a, b)
                # Gradients of single samples, and of perturbed parameters.
                field, *rest = tensors
                samples = torch.stack([field, 2 * field, field.flip(0)])
                by_sample = torch.func.vmap(torch.func.grad(loss), in_dims=(0, *[None] * len(rest)))(samples, *rest)
                many = torch.func.vmap(torch.func.grad(loss, argnums=places))(*[torch.stack([t, .9 * t]) for t in tensors])
                for n, sample in enumerate(samples):
                    torch.testing.assert_close(by_sample[n], torch.func.grad(loss)(sample, *rest))
                for n, factor in enumerate((1, .9)):
                    one = torch.func.grad(loss, argnums=places)(*[factor * t for t in tensors])
                    for a, b in zip(many, one):
                        torch.testing.assert_close(a[n], b)
                # Products of samples with their own second derivatives.
                twice = torch.func.grad(lambda z, *p: torch.func.grad(loss)(z, *p).abs().square().sum())
                curved = torch.func.vmap(twice, in_dims=(0, *[None] * len(rest)))(samples, *rest)
                torch.testing.assert_close(curved[1], twice(samples[1], *rest))
                self.assertGreater(curved.abs().max(), 0)

    def test_tangents(self):
        for name, function, tensors in cases():
            with self.subTest(operator=name, shapes=[tuple(t.shape) for t in tensors]):
                self.assertTrue(gradcheck(function, differentiable(tensors), fast_mode=True, eps=1e-7, atol=1e-4,
                                          check_forward_ad=True, check_batched_grad=True,
                                          check_batched_forward_grad=True))

    def test_noise_has_no_tangent(self):
        z = torch.randn(4, 3, dtype=torch.complex128)
        value, tangent = torch.func.jvp(lambda z: ops.photodetect(z, .3, .2, 7, 1), (z,), (z,))
        torch.testing.assert_close(value, ops.photodetect(z, .3, .2, 7, 1))
        torch.testing.assert_close(tangent, 2 * z.abs().square())

    def test_projections_have_no_derivative(self):
        for operator, arguments in projection_cases():
            if arguments[0].dtype == torch.int8:
                continue
            name = str(operator).split(".")[-1]
            with self.subTest(operator=name, type=arguments[0].dtype, entries=arguments[3]):
                def loss(x):
                    return operator(x, *arguments[1:]).abs().sum()

                for derivative in (lambda: loss(arguments[0].clone().requires_grad_()).backward(),
                                   lambda: torch.func.grad(loss)(arguments[0]),
                                   lambda: torch.func.jvp(loss, (arguments[0],), (arguments[0],))):
                    with self.assertRaisesRegex(ValueError, f"{name}: x: expected .* detach x"):
                        derivative()
                torch.testing.assert_close(torch.func.vmap(lambda x: operator(x[None], *arguments[1:])[0])(arguments[0]),
                                           operator(*arguments))

    def test_by_hand_and_in_inference_mode(self):
        """The operator for second derivatives gives what autograd gets from it."""
        z = torch.randn(3, 4, dtype=torch.complex128, requires_grad=True)
        g, v = torch.randn_like(z), torch.randn_like(z)
        first = ops.electro_optic_backward(g, z, .1, .7, 3.)
        expected, = torch.autograd.grad(first, z, v)
        for mode in (torch.no_grad, torch.inference_mode):
            with mode():
                by_signal, by_field = ops.electro_optic_double_backward(v, g, z, .1, .7, 3.)
                torch.testing.assert_close(by_field, expected)
                inside = ops.electro_optic_double_backward(v + 0, g + 0, z + 0, .1, .7, 3.)[1]
                torch.testing.assert_close(inside, expected)
            self.assertFalse(by_field.requires_grad)
        torch.testing.assert_close(by_signal, torch.func.jvp(lambda z: ops.electro_optic(z, .1, .7, 3.), (z.detach(),), (v,))[1])


if __name__ == "__main__":
    unittest.main()
