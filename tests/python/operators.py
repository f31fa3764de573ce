"""Loads the library under test and lists what its operators are tried on."""

import importlib.util
import itertools
import os
import sys
import unittest

SKIPPED = 77  # what ctest counts as skipped


def skip(reason):
    """Skips the whole file, under pytest and as a script."""
    if "PYTEST_VERSION" in os.environ:
        import pytest

        pytest.skip(reason, allow_module_level=True)
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def run_tests():
    """Runs the tests of the script by pytest, where it is installed and no test is named, else by unittest."""
    if len(sys.argv) == 1 and importlib.util.find_spec("pytest"):
        import pytest

        # Warnings are PyTorch's, of names that it will drop.
        sys.exit(pytest.main(["-q", "-W", "ignore", "-p", "no:cacheprovider", sys.argv[0]]))
    unittest.main()


try:
    import torch
except ImportError as error:
    skip(f"{sys.executable}: {error}")

if not {"OPTOTORCH_LIBTORCH", "OPTOTORCH_LIBRARY"} <= set(os.environ):
    skip("OPTOTORCH_LIBTORCH and OPTOTORCH_LIBRARY are not set; ctest sets them")
_built_with = os.environ["OPTOTORCH_LIBTORCH"]
if not os.path.samefile(os.path.dirname(torch.__file__), _built_with):
    skip(f"{sys.executable} has another torch ({torch.__file__}) than the library links ({_built_with})")

torch.ops.load_library(os.environ["OPTOTORCH_LIBRARY"])
ops = torch.ops.optotorch


def mesh_size(grid, ports, columns):
    """The number of MZIs of a brick wall, counted one by one."""
    count = 0
    for column in range(columns):
        for port in range(column % 2, ports - 1, 2):
            count += grid == "rectangular" or port <= min(column, 2 * ports - 4 - column)
    return count


def mesh_case(batch=3, ports=5, columns=7, real=torch.float64, screen=True, error=True, loss=True, grid="rectangular",
              arm="output", zero="cross", idle="wire", seed=0, meshes=None):
    """Arguments and keywords of ops.mzi_mesh; a stack if `meshes` is given."""
    generator = torch.Generator().manual_seed(seed)
    mzis = mesh_size(grid, ports, columns)
    stack = () if meshes is None else (meshes,)

    def uniform(low, high, *shape):
        return torch.rand(*shape, dtype=real, generator=generator) * (high - low) + low

    field = torch.complex(uniform(-1, 1, batch, *stack, ports), uniform(-1, 1, batch, *stack, ports))
    arguments = (field, uniform(-4, 4, *stack, mzis), uniform(-4, 4, *stack, mzis),
                 uniform(-4, 4, *stack, ports) if screen else None,
                 uniform(-.3, .3, *stack, mzis, 2) if error else None,
                 uniform(.4, .95, *stack, mzis, 2) if loss else None)
    return arguments, dict(grid=grid, columns=columns, phi_arm=arm, zero_state=zero, idle_port=idle)


def mesh_cases():
    """Every convention with all tensors present, and every set of absent tensors on both sides of the screen."""
    conventions = itertools.product(("rectangular", "triangular"), ("input", "output"), ("cross", "bar"),
                                    ("wire", "bar"))
    for grid, arm, zero, idle in conventions:
        yield mesh_case(grid=grid, arm=arm, zero=zero, idle=idle)
    for screen, error, loss, arm in itertools.product((False, True), (False, True), (False, True), ("input", "output")):
        yield mesh_case(ports=6, columns=6, screen=screen, error=error, loss=loss, arm=arm)
    yield mesh_case(ports=2, columns=1)
    yield mesh_case(ports=4, columns=9)
    yield mesh_case(batch=1, ports=9, columns=2)


def stack_cases():
    yield mesh_case(meshes=3)
    yield mesh_case(meshes=2, ports=4, columns=4, error=False, loss=False)
    yield mesh_case(meshes=2, ports=3, columns=3, screen=False, error=False, loss=False, arm="input")
    yield mesh_case(meshes=1, batch=2, ports=4, columns=3, grid="triangular")


def elementwise_cases(complex_type=torch.complex128):
    """(operator, arguments) for all operators that act element by element."""
    generator = torch.Generator().manual_seed(1)
    field = torch.randn(3, 5, dtype=complex_type, generator=generator)
    bias = .5 * torch.randn(5, dtype=complex_type.to_real(), generator=generator)
    cube = torch.randn(2, 3, 5, dtype=complex_type, generator=generator)
    for z in (field, cube):
        yield ops.photodetect, (z,)
        yield ops.electro_optic, (z, .1, .7, 3.)
        yield ops.electro_optic, (z, 0., 3., -.4)
        yield ops.saturable_absorber, (z, 2., .8)
        yield ops.mod_relu, (z, bias)


def network_cases(complex_type=torch.complex128):
    """The same for networks of one operator."""
    generator = torch.Generator().manual_seed(2)
    for ports, features, parameters in ((5, (1, 2, 1), 271), (9, (2, 1, 3), 475)):
        weights = .4 * torch.randn(parameters, 2, dtype=complex_type.to_real(), generator=generator)
        yield ops.sepn, (torch.randn(2, ports, dtype=complex_type, generator=generator), weights, list(features))


def free_space_cases(complex_type=torch.complex128):
    """Its backward is made of other operators and has no second one: windows of other sizes, one transfer function or
    one for each plane."""
    generator = torch.Generator().manual_seed(4)

    def field(*shape):
        return torch.randn(*shape, dtype=complex_type, generator=generator)

    yield ops.free_space, (field(2, 2, 3, 2), .4 * field(4, 5), 2, 3)
    yield ops.free_space, (field(2, 2, 2, 2), .4 * field(2, 4, 3), 3, 2)
    yield ops.free_space, (field(1, 1, 1, 3), field(1, 3), 1, 1)


def hop_cases(complex_type=torch.complex128):
    """The same by matrices: of any kind, the same turned by half a circle, one for each plane."""
    generator = torch.Generator().manual_seed(6)

    def field(*shape):
        return torch.randn(*shape, dtype=complex_type, generator=generator)

    def even(*shape):
        matrix = field(*shape)
        return matrix + matrix.flip(-1, -2)

    yield ops.separable_hop, (field(2, 2, 3, 2), field(2, 3), field(3, 2))
    yield ops.separable_hop, (field(2, 1, 3, 4), even(2, 3), even(3, 4))
    yield ops.separable_hop, (field(1, 2, 2, 1), field(2, 3, 2), field(2, 1))


def filter_cases(complex_type=torch.complex128):
    """Waveforms and banks: sections, delays, both photodiodes, samples behind the last window."""
    generator = torch.Generator().manual_seed(5)
    for batch, samples, filters, rest in ((2, 9, 2, (1, 1, 4, .7)), (1, 7, 1, (2, 2, 3, -1.)),
                                          (3, 4, 2, (1, 5, 2, 0.))):
        poles = torch.polar(.3 + .4 * torch.rand(filters, dtype=complex_type.to_real(), generator=generator),
                            torch.ones(filters, dtype=complex_type.to_real()))
        amplitudes = torch.randn(filters, 2, dtype=complex_type, generator=generator)
        yield ops.filter_bank, (torch.randn(batch, samples, dtype=complex_type, generator=generator),
                                torch.cat([amplitudes, poles.unsqueeze(1)], 1), *rest)


def projection_cases():
    """Fixed random matrices: nothing is differentiated."""
    generator = torch.Generator().manual_seed(3)
    ternary = torch.randint(-1, 2, (3, 140), dtype=torch.int8, generator=generator)
    for x in (torch.randn(3, 140, generator=generator), torch.randn(3, 140, dtype=torch.float64, generator=generator),
              ternary):
        for entries in ("rademacher", "normal", "complex_normal"):
            yield ops.random_projection, (x, 20, 7, entries, 5)
        if x is not ternary:
            yield ops.hadamard_projection, (x, 300, 7, 5)


def differentiable(arguments):
    return tuple(a.clone().requires_grad_() if isinstance(a, torch.Tensor) else a for a in arguments)


def layer_cases():
    """Descriptions of layers, and inputs for them."""
    seed = torch.Generator().manual_seed(0)
    complex_rows = torch.randn(3, 4, dtype=torch.complex64, generator=seed)
    return [('{"type": "MziMesh", "ports": 4}', complex_rows),
            ('{"type": "MziLinear", "in_ports": 4, "out_ports": 3}', complex_rows),
            ('{"type": "WeightBank", "in_features": 4, "out_features": 3}', torch.randn(3, 4, generator=seed)),
            ('{"type": "Photodetector", "detection": "amplitude"}', complex_rows),
            ('{"type": "TransformerBlock", "width": 4, "heads": 2}', torch.randn(3, 2, 4, generator=seed))]
