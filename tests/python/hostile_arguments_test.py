"""Hostile arguments for every operator: whatever comes is a result or an exception in our words; never a crash, a hang,
or memory that nobody asked for.

As a test it runs for seconds. By hand, for as long as wanted, with another seed each time:

    OPTOTORCH_LIBRARY=build/lib/liboptotorch.so OPTOTORCH_LIBTORCH=.../torch \\
        python tests/python/hostile_arguments_test.py --seconds 3600 --seed 5

Calls are made in a child process, which writes down what it is about to call. Exit 1 if anything was found."""

import argparse
import faulthandler
import mmap
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import traceback
import warnings

HANG = 30  # seconds that no call may take
MEMORY = 8 << 30
NOTE = 1 << 16

# What the operators say of wrong arguments, and what LibTorch says before and after they are asked.
OURS = re.compile(r"^[^:]+: [^:]+: expected .*, got .*[.?]$", re.DOTALL)
VALUES = re.compile(r"expected (finite values|values in \[-1, 1\]|amplitudes in \(0, 1\]|-1, 0 and 1 in int8)")
OF_LIBTORCH = re.compile(
    r"can't allocate memory|not enough memory|bad_alloc|no memory for|Storage size calculation overflowed|numel: integer multi"
    r"|Expected a value of type|expected at most|missing value for argument|Unable to cast|Overflow when unpacking"
    r"|Could not run '|There were no tensor arguments|is not implemented|not currently supported|Sparse|sparse|int too (large|big)|out of range"
    r"|Inference tensors|can't be represented|Only Tensors of floating point and complex dtype can require grad"
    r"|Attempted to call `variable.set_data|Tensor on device|overflow|Batching rule not implemented|attempted to run this operator with Meta tensors")

SIZES = (-2**63, -2**31, -1, 0, 1, 2, 3, 5, 16, 17, 2**15, 2**15 + 1, 2**18 + 1, 2**31 - 1, 2**31, 2**31 + 1, 2**62, 2**63 - 1)
NUMBERS = (0., -0., 1., .5, -1., 1e-300, 1e300, -1e300, 5e-324, 1e38, 1e39, float("inf"), -float("inf"), float("nan"))
NAMES = ("rectangular", "triangular", "input", "output", "cross", "bar", "wire", "normal", "rademacher", "complex_normal",
         "", "Output", "norma", "\0", "\x1b[31m", "\u202e", "x" * 3000)


def hostile_tensor(rng, torch, tensor):
    """`tensor`, changed a little or beyond recognition."""
    types = (torch.float32, torch.float64, torch.complex64, torch.complex128, torch.int8, torch.int64, torch.bool,
             torch.float16, torch.bfloat16, torch.complex32, torch.uint8)

    def retype(t):
        return t.to(rng.choice(types))

    def reshape(t):
        shape = [rng.choice((0, 1, 2, 3, 5)) for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 4)))]
        return torch.zeros(shape, dtype=t.dtype)

    def poison(t):
        t = t.clone()
        if t.numel() and (t.is_floating_point() or t.is_complex()):
            t.view(-1)[rng.randrange(t.numel())] = rng.choice(NUMBERS)
        elif t.numel() and t.dtype == torch.int8:
            t.view(-1)[rng.randrange(t.numel())] = rng.choice((-128, 127, 2, -2))
        return t

    def empty(t):
        return t.narrow(rng.randrange(t.dim()), 0, 0) if t.dim() else t

    def cut(t):
        dim = rng.randrange(t.dim()) if t.dim() else None
        return t if dim is None or not t.shape[dim] else t.narrow(dim, 0, rng.randrange(t.shape[dim] + 1))

    def huge(t):
        shape = list(t.shape)
        if not shape:
            return t
        dim = rng.randrange(len(shape))
        shape[dim] = rng.choice((2**36, 2**40, 2**62 // max(1, t.numel())))
        return t.narrow(dim, 0, 1).expand(shape) if t.shape[dim] else t

    def strided(t):
        views = [lambda: t.mT.contiguous().mT if t.dim() > 1 and t.numel() < 10**6 else t,
                 lambda: t.flip(0) if t.dim() and t.numel() < 10**6 else t,
                 lambda: torch.stack([t, t], -1)[..., 0] if t.numel() < 10**6 else t, lambda: t[None].expand(3, *t.shape)[1],
                 lambda: torch.conj(t), lambda: torch._neg_view(t) if t.dtype != torch.bool else t,
                 lambda: t.t() if t.dim() == 2 else t, lambda: t.unsqueeze(0), lambda: t.unsqueeze(-1)]
        return rng.choice(views)()

    def elsewhere(t):
        return torch.empty_strided(t.shape, t.stride(), dtype=t.dtype, device="meta")

    def unusual(t):
        return rng.choice((lambda: t.to_sparse(), lambda: torch.zeros((), dtype=t.dtype), lambda: None,
                           lambda: torch.nn.Parameter(t) if t.is_floating_point() or t.is_complex() else t))()

    changes = (retype, reshape, poison, poison, empty, cut, huge, strided, strided, elsewhere, unusual)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if tensor is None:
            break
        try:
            # What would be as large as it looks is made in this process, not by the operators.
            tensor = rng.choice(changes if tensor.numel() < 10**6 else (empty, strided, elsewhere))(tensor)
        except RuntimeError:
            pass  # LibTorch does not make such a tensor
    return tensor


def hostile(rng, torch, value):
    if isinstance(value, torch.Tensor):
        return hostile_tensor(rng, torch, value)
    if value is None:
        return rng.choice((None, torch.zeros(3), torch.zeros(rng.choice((0, 1, 7, 12)), 2, dtype=torch.float64)))
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice(SIZES)
    if isinstance(value, float):
        return rng.choice(NUMBERS)
    if isinstance(value, str):
        return rng.choice(NAMES)
    if isinstance(value, list) and value and isinstance(value[0], torch.Tensor):
        changed = list(value)
        place = rng.randrange(len(changed))
        changed[place] = hostile_tensor(rng, torch, changed[place])
        if changed[place] is None:
            changed[place] = torch.zeros(3)
        return rng.choice((changed, changed, changed, value[1:], value + value[:1], []))
    if isinstance(value, list):
        return [rng.choice(SIZES + (1, 2, 4, 256, 257)) for _ in range(rng.choice((0, 1, 2, 3, 3, 4, 5, 40)))]
    raise AssertionError(type(value))


def sound_cases(torch, ops, operators):
    """{operator: [(arguments, keywords)]}, all of them right, in both precisions."""
    cases = {}

    def add(operator, arguments, keywords=None):
        cases.setdefault(operator, []).append((tuple(arguments), keywords or {}))

    def add_derivatives(operator, arguments, keywords=None, keeps_output=False):
        add(operator, arguments, keywords)
        name = operator._qualified_op_name.split("::")[1]
        output = operator(*arguments, **(keywords or {}))
        signal = torch.ones_like(output)
        add(getattr(ops, name + "_backward"), (signal, arguments[0], *([output] if keeps_output else []), *arguments[1:]),
            keywords)
        if name != "photodetect":
            # Signals at the gradients: of the mesh with gaps where tensors are absent.
            signals = [a for a in arguments if isinstance(a, torch.Tensor) or a is None]
            add(getattr(ops, name + "_double_backward"), (*signals, signal, *arguments), keywords)

    for real, complex_type in ((torch.float32, torch.complex64), (torch.float64, torch.complex128)):
        for options in (dict(), dict(screen=False, error=False, loss=False), dict(meshes=2, error=False),
                        dict(grid="triangular", arm="input", ports=4, columns=3), dict(batch=0), dict(ports=2, columns=1)):
            arguments, keywords = operators.mesh_case(**{**dict(ports=4, columns=4, batch=2, real=real), **options})
            add_derivatives(ops.mzi_mesh, arguments, keywords, keeps_output=True)
        for operator, arguments in operators.elementwise_cases(complex_type):
            if operator is ops.photodetect:
                arguments = (*arguments, .3, .2, 7, 1)
                add(operator, arguments)
                add(ops.photodetect_backward, (operator(*arguments), arguments[0]))
            else:
                add_derivatives(operator, arguments)
        for operator, (x, parameters, features) in operators.network_cases(complex_type):
            add(operator, (x, parameters, features))
            add(ops.sepn_backward, (x, x, parameters, features, True, True))
            add(ops.sepn_double_backward, (x, parameters, x, x, parameters, features))
        for operator, arguments in operators.free_space_cases(complex_type):
            add(operator, arguments)
            add(ops.free_space_backward, (operator(*arguments), *arguments[:2], True, True))
        for operator, arguments in operators.hop_cases(complex_type):
            add(operator, arguments)
            add(ops.separable_hop_backward, (operator(*arguments), *arguments, True, True))
        for operator, (x, coefficients, *rest) in operators.filter_cases(complex_type):
            signal = operator(x, coefficients, *rest)
            add(operator, (x, coefficients, *rest))
            add(ops.filter_bank_backward, (signal, x, coefficients, *rest, True, True))
            add(ops.filter_bank_double_backward, (x, coefficients, signal, x, coefficients, *rest))
    for operator, arguments in operators.projection_cases():
        add(operator, arguments)
    for layer, x in operators.layer_cases():
        description, parameters, _, state = ops.layer_state(layer)
        output, _ = ops.layer(x, state, layer=description, training=True, gradient=True)
        add(ops.layer_state, (description,))
        add(ops.layer, (x, state), dict(layer=description, training=True, gradient=False))
        add(ops.layer_backward, (torch.ones_like(output), x, output, state),
            dict(layer=description, training=True, to_input=True))
        if "WeightBank" in layer:
            add(ops.layer_weight, (state,), dict(layer=description))
            add(ops.layer_set_weight, (ops.layer_weight(state, layer=description), state), dict(layer=description))
    u = ops.haar_unitary(5)
    for grid in ("rectangular", "triangular"):
        phases = ops.decompose(u, grid=grid)
        add(ops.decompose, (u,), dict(grid=grid, columns=0, phi_arm="output", zero_state="cross", idle_port="wire"))
        add(ops.reconstruct, phases, dict(ports=5, grid=grid, columns=0, phi_arm="output"))
        add(ops.convert, phases, dict(ports=5, grid=grid, columns=0, to_grid="triangular", to_columns=0))
    add(ops.fidelity, (u, u))
    return cases


def describe(value):
    if hasattr(value, "shape"):
        return f"{value.dtype} {list(value.shape)} strides {value.stride() if value.layout.__repr__() == 'torch.strided' else value.layout} " \
               f"{value.device}{' grad' if value.requires_grad else ''}{' conj' if value.is_conj() else ''}" \
               f"{' neg' if value.is_neg() else ''}"
    if isinstance(value, str) and len(value) > 60:
        return f"str of {len(value)}"
    return repr(value)


class Tester:
    def __init__(self, torch, ops, operators, note):
        self.torch, self.note = torch, note
        self.cases = sound_cases(torch, ops, operators)
        self.names = sorted(self.cases, key=str)
        registered = {name for name in torch._C._dispatch_get_all_op_names() if name.startswith("optotorch::")}
        # Of sizes, names and files alone: package_test.py.
        elsewhere = {f"optotorch::{name}" for name in ("layer_types", "haar_unitary", "build_network", "read_network",
                                                       "write_network")}
        assert registered - elsewhere == {o._qualified_op_name for o in self.names}, "an operator has no case here"
        self.outcomes = {}

    def attempt(self, call):
        """(result, error); what is not in our words is raised."""
        try:
            return call(), None
        except ValueError as error:
            if not OURS.match(str(error)):
                raise
            return None, error
        except (RuntimeError, MemoryError, TypeError, OverflowError) as error:
            if "INTERNAL ASSERT" in str(error) or not (OF_LIBTORCH.search(str(error)) or isinstance(error, MemoryError)):
                raise
            return None, error

    def one(self, seed):
        torch, rng = self.torch, random.Random(seed)
        torch.manual_seed(0)
        self.note(f"{seed}: making arguments")
        operator = rng.choice(self.names)
        arguments, keywords = rng.choice(self.cases[operator])
        arguments, keywords = list(arguments), dict(keywords)
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 6))):
            place = rng.randrange(len(arguments) + len(keywords))
            if place < len(arguments):
                arguments[place] = hostile(rng, torch, arguments[place])
            else:
                name = sorted(keywords)[place - len(arguments)]
                keywords[name] = hostile(rng, torch, keywords[name])
        if rng.random() < .3:
            arguments = [a.detach().requires_grad_() if isinstance(a, torch.Tensor) and a.layout == torch.strided
                         and (a.is_floating_point() or a.is_complex()) and rng.random() < .7 else a for a in arguments]
        text = f"{seed}: {operator}({', '.join(map(describe, arguments))}, {keywords})"
        self.note(text)
        how = rng.choice(("plain", "plain", "plain", "inference", "vmap"))

        def call(*given):
            if how == "inference":
                with torch.inference_mode():
                    return operator(*given, **keywords)
            if how == "vmap":
                first = next((i for i, a in enumerate(given) if isinstance(a, torch.Tensor) and a.dim()), None)
                if first is not None and 0 < given[first].shape[0] < 9:
                    dims = tuple(0 if i == first else None for i in range(len(given)))
                    return torch.func.vmap(lambda *a: operator(*a, **keywords), in_dims=dims)(*given)
            return operator(*given, **keywords)

        result, error = self.attempt(lambda: call(*arguments))
        kind = "result" if error is None else type(error).__name__
        self.outcomes[kind] = self.outcomes.get(kind, 0) + 1
        # Of layers and decompositions the package, or nobody, says what they are on meta tensors.
        has_meta_face = torch._C._dispatch_has_kernel_for_dispatch_key(operator._qualified_op_name, "Meta")
        if how == "plain" and has_meta_face and not any(isinstance(a, torch.Tensor) and (a.is_meta or a.layout != torch.strided)
                                      for a in arguments):
            self.compare_with_meta(operator, arguments, keywords, result, error)
        if result is not None and how == "plain":
            self.differentiate(result, arguments)

    def compare_with_meta(self, operator, arguments, keywords, result, error):
        """The face for shapes rejects what the kernel rejects, but for values and for memory."""
        torch = self.torch
        shapes = [torch.empty_strided(a.shape, a.stride(), dtype=a.dtype, device="meta")
                  if isinstance(a, torch.Tensor) else a for a in arguments]
        on_meta, refused = self.attempt(lambda: operator(*shapes, **keywords))
        if refused is not None:
            assert error is not None, f"rejected on meta alone: {refused}"
        elif error is not None:
            assert VALUES.search(str(error)) or not isinstance(error, ValueError), f"rejected off meta alone: {error}"
        else:
            def summary(r):
                return [(tuple(t.shape), t.dtype) for t in (r if isinstance(r, (tuple, list)) else (r,))]
            assert summary(on_meta) == summary(result), (summary(on_meta), summary(result))

    def differentiate(self, result, arguments):
        torch = self.torch
        results = [r for r in (result if isinstance(result, (tuple, list)) else (result,))
                   if isinstance(r, torch.Tensor) and r.requires_grad]
        leaves = [a for a in arguments if isinstance(a, torch.Tensor) and a.requires_grad and a.is_leaf]
        if not results or not leaves or any(t.is_meta for t in results) or sum(r.numel() for r in results) > 10**6:
            return
        loss = sum(r.abs().square().sum() for r in results)
        first, error = self.attempt(lambda: torch.autograd.grad(loss, leaves, create_graph=True, allow_unused=True))
        if error is None:
            again = [g.abs().square().sum() for g in first if g is not None and g.requires_grad]
            if again:
                self.attempt(lambda: torch.autograd.grad(sum(again), leaves, allow_unused=True))


def child(options):
    import resource
    import operators  # prints the reason and ends where the library cannot be loaded
    torch, ops = operators.torch, operators.ops
    torch.set_num_threads(1)
    if options.limit_memory:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    faulthandler.enable()
    warnings.simplefilter("ignore")
    torch._C._functorch._set_vmap_fallback_warning_enabled(False)
    with open(options.note, "r+b") as file:
        page = mmap.mmap(file.fileno(), NOTE)

    def note(text):
        line = text.encode("utf-8", "backslashreplace")[:NOTE - 1]
        page[:len(line) + 1] = line + b"\0"

    tester = Tester(torch, ops, operators, note)
    end, count, failed = time.monotonic() + options.seconds, options.first, 0
    while time.monotonic() < end and count < options.first + options.calls:
        faulthandler.dump_traceback_later(HANG, exit=True)
        try:
            tester.one(f"{options.seed}/{count}")
        except Exception:
            failed += 1
            print("FOUND", page[:page.find(b"\0")].decode("utf-8", "replace"), flush=True)
            traceback.print_exc()
        faulthandler.cancel_dump_traceback_later()
        count += 1
        if failed >= 20:
            break
    print(f"{count - options.first} calls: {dict(sorted(tester.outcomes.items()))}", flush=True)
    note(f"{options.seed}/{count}: done")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--calls", type=int, default=1500, help="calls in all; 0: as many as the seconds allow")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--first", type=int, default=0, help="number of the first call, to repeat a finding")
    parser.add_argument("--no-memory-limit", dest="limit_memory", action="store_false", help="for AddressSanitizer")
    parser.add_argument("--note", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.calls = options.calls or 2**62
    if options.note:
        return child(options)
    found, end, first, last = 0, time.monotonic() + options.seconds, options.first, options.first + options.calls
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\0" * NOTE)
        file.flush()
        while first < last and time.monotonic() < end:
            command = [sys.executable, __file__, "--note", file.name, "--seed", options.seed, "--first", str(first),
                       "--calls", str(last - first), "--seconds", str(end - time.monotonic())]
            result = subprocess.run(command + ([] if options.limit_memory else ["--no-memory-limit"]))
            if result.returncode == 77:
                return 77
            file.seek(0)
            text = file.read().split(b"\0")[0].decode("utf-8", "replace")
            if text.endswith(": done"):
                found += result.returncode != 0
                if found:
                    break
                first = int(text.split(":")[0].split("/")[1])
            else:
                found += 1
                print(f"CRASH or hang ({result.returncode}): {text}", flush=True)
                if found >= 10 or "/" not in text:
                    break
                first = int(text.split(":")[0].split("/")[1]) + 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
