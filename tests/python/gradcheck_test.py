"""Autograd's derivatives of every operator against central differences, in float64."""

import unittest

from operators import (differentiable, elementwise_cases, filter_cases, free_space_cases, hop_cases, mesh_case, mesh_cases, network_cases, ops,
                       stack_cases, torch)


class Gradients(unittest.TestCase):
    def check(self, operator, arguments, keywords=None, **options):
        keywords = keywords or {}
        self.assertTrue(
            torch.autograd.gradcheck(lambda *a: operator(*a, **keywords), differentiable(arguments), **options))

    def test_mesh(self):
        for arguments, keywords in mesh_cases():
            with self.subTest(shape=arguments[0].shape, absent=[a is None for a in arguments], **keywords):
                self.check(ops.mzi_mesh, arguments, keywords)

    def test_stack_of_meshes(self):
        for arguments, keywords in stack_cases():
            with self.subTest(shape=arguments[0].shape, absent=[a is None for a in arguments], **keywords):
                self.check(ops.mzi_mesh, arguments, keywords)

    def test_mesh_of_a_large_batch(self):
        """Batches that fill no whole number of vectors or tiles."""
        for batch in (31, 33, 70):
            for ideal in (False, True):
                with self.subTest(batch=batch, ideal=ideal):
                    arguments, keywords = mesh_case(batch=batch, ports=7, columns=7, error=not ideal, loss=not ideal)
                    self.check(ops.mzi_mesh, arguments, keywords, fast_mode=True)

    def test_mesh_of_strided_and_conjugated_fields(self):
        arguments, keywords = mesh_case(batch=5, ports=5)
        for view in (lambda z: z.t(), torch.conj, lambda z: z.flip(0)):
            self.check(lambda z, *rest, **k: ops.mzi_mesh(view(z), *rest, **k), arguments, keywords)

    def test_elementwise(self):
        for operator, arguments in elementwise_cases():
            with self.subTest(operator=str(operator), shape=arguments[0].shape):
                self.check(operator, arguments)

    def test_elementwise_on_conjugated_fields(self):
        for operator, arguments in elementwise_cases():
            with self.subTest(operator=str(operator)):
                self.check(lambda z, *rest: operator(z.conj(), *rest), arguments)

    def test_networks(self):
        for operator, arguments in network_cases():
            with self.subTest(operator=str(operator), shape=arguments[0].shape):
                self.check(operator, arguments, eps=1e-7)

    def test_free_space(self):
        for operator, arguments in free_space_cases():
            for view in (lambda z: z, torch.conj, lambda z: z.flip(-1), torch._neg_view):
                with self.subTest(shapes=[a.shape for a in arguments[:2]]):
                    self.check(lambda x, t, *rest: operator(view(x), view(t), *rest), arguments)

    def test_separable_hop(self):
        for operator, arguments in hop_cases():
            for view in (lambda z: z, torch.conj, lambda z: z.flip(-1), torch._neg_view):
                with self.subTest(shapes=[a.shape for a in arguments]):
                    self.check(lambda *tensors: operator(*(view(t) for t in tensors)), arguments)

    def test_filter_bank(self):
        for operator, arguments in filter_cases():
            for view in (lambda z: z, torch.conj, lambda z: z.flip(-1), torch._neg_view):
                with self.subTest(shapes=[a.shape for a in arguments[:2]], rest=arguments[2:]):
                    self.check(lambda x, c, *rest: operator(view(x), view(c), *rest), arguments)

    def test_noise_has_no_slope(self):
        """The pull-back of a noisy reading is that of the noiseless one."""
        z = torch.randn(4, 3, dtype=torch.complex128, requires_grad=True)
        noisy, = torch.autograd.grad(ops.photodetect(z, .3, .2, 7, 1).sum(), z)
        torch.testing.assert_close(noisy, 2 * z.detach())


if __name__ == "__main__":
    unittest.main()
