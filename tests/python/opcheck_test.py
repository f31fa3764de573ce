"""torch.library.opcheck on every operator: schema, autograd registration, fake tensors, and tracing by AOT autograd."""

import itertools
import unittest

from operators import (differentiable, elementwise_cases, filter_cases, free_space_cases, hop_cases, mesh_cases, network_cases, ops, projection_cases,
                       stack_cases, torch)


class Opcheck(unittest.TestCase):
    def check(self, operator, arguments, keywords=None):
        results = torch.library.opcheck(operator, arguments, keywords or {})
        self.assertEqual(set(results.values()), {"SUCCESS"}, f"{operator}: {results}")
        self.checked = getattr(self, "checked", set()) | {operator._qualified_op_name.split("::")[1]}

    def test_every_operator(self):
        for arguments, keywords in [*list(mesh_cases())[::4], *stack_cases()]:
            with self.subTest(shape=arguments[0].shape, absent=[a is None for a in arguments], **keywords):
                self.check(ops.mzi_mesh, differentiable(arguments), keywords)
                output = ops.mzi_mesh(*arguments, **keywords)
                self.check(ops.mzi_mesh_backward, (torch.randn_like(output), arguments[0], output, *arguments[1:]),
                           keywords)
                self.check(ops.mzi_mesh_double_backward, (*arguments, torch.randn_like(output), *arguments),
                           keywords)
        for complex_type in (torch.complex64, torch.complex128):
            for operator, arguments in itertools.chain(elementwise_cases(complex_type), network_cases(complex_type),
                                                       filter_cases(complex_type)):
                with self.subTest(operator=str(operator), type=complex_type):
                    self.check(operator, differentiable(arguments))
                    backward = getattr(ops, str(operator).split(".")[-1] + "_backward")
                    signal = torch.randn_like(operator(*arguments))
                    self.check(backward, (signal, *arguments))
                    if operator is not ops.photodetect:
                        # Signals at the gradients have the shapes of what these belong to.
                        twice = getattr(ops, str(operator).split(".")[-1] + "_double_backward")
                        tensors = [a for a in arguments if isinstance(a, torch.Tensor)]
                        self.check(twice, (*tensors, signal, *arguments))

            for operator, arguments in free_space_cases(complex_type):
                with self.subTest(operator=str(operator), type=complex_type, shape=arguments[1].shape):
                    self.check(operator, differentiable(arguments))
                    signal = torch.randn_like(operator(*arguments))
                    self.check(ops.free_space_backward, (signal, *differentiable(arguments[:2])))
                    self.check(ops.free_space_backward, (signal, *arguments[:2], False, True))

            for operator, arguments in hop_cases(complex_type):
                with self.subTest(operator=str(operator), type=complex_type, shape=arguments[1].shape):
                    self.check(operator, differentiable(arguments))
                    signal = torch.randn_like(operator(*arguments))
                    self.check(ops.separable_hop_backward, (signal, *differentiable(arguments)))
                    self.check(ops.separable_hop_backward, (signal, *arguments, False, True))

        for operator, arguments in projection_cases():
            with self.subTest(operator=str(operator), type=arguments[0].dtype, entries=arguments[3]):
                self.check(operator, arguments)

        registered = {name.split("::")[1] for name in torch._C._dispatch_get_all_op_names()
                      if name.startswith("optotorch::")}
        # Layers are the package's (package_test.py); the others have no gradient, and give what no tracer follows.
        elsewhere = {"layer", "layer_backward", "layer_types", "layer_state", "layer_weight", "layer_set_weight", "decompose",
                     "reconstruct", "convert", "haar_unitary", "fidelity", "build_network", "read_network", "write_network"}
        self.assertEqual(registered - elsewhere, self.checked, "an operator has no case here")


if __name__ == "__main__":
    unittest.main()
