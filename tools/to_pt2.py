#!/usr/bin/env python3
"""Makes an exported program (.pt2) of a TorchScript file that `optotorch export` wrote, with torch alone.

    to_pt2.py MODEL.pt MODEL.pt2 --example EXAMPLES.safetensors
    to_pt2.py MODEL.pt MODEL.pt2 --shape 3,1,28,28 [--aotinductor MODEL_compiled.pt2]

The example is input_0, input_1, ... of EXAMPLES.safetensors, the first with more than one sample, or random numbers of
--shape (batch first, more than one). The batch size is left free if torch can prove that it may be; the output says which
batches the program takes. The .pt2 is loaded again and compared with MODEL.pt on batches of 1, 7 and 64.
--aotinductor also compiles the program into a package that runs without Python, which needs a C++ compiler.

A .pt file is a program, which runs as soon as it is loaded: convert only what you would run.

torch's converter is private (torch._export.converter) and may change: made and tested with torch 2.13. Ends with 0 if
all is equal (float64 exactly, float32 to 1e-5 of the largest output), 1 if something is not, and 2 if an input is wrong.
"""

import argparse
import os
import sys
import warnings

import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from check_export import load_safetensors  # noqa: E402

BATCHES = (1, 7, 64)
TOLERANCE = {torch.float64: 1e-12, torch.complex128: 1e-12, torch.float32: 1e-5, torch.complex64: 1e-5}


class WrongInput(Exception):
    """What the user can mend."""


def example_from(arguments):
    """A batch of at least two: torch takes sizes of 1 as constants."""
    if arguments.shape:
        try:
            shape = [int(size) for size in arguments.shape.split(",")]
        except ValueError:
            raise WrongInput(f"--shape: expected whole numbers like 3,1,28,28, got {arguments.shape}") from None
        if len(shape) < 1 or shape[0] < 2 or min(shape) < 1:
            raise WrongInput(f"--shape: expected a batch of at least 2 and sizes of at least 1, got {arguments.shape}")
        torch.manual_seed(0)
        return torch.rand(shape)
    try:
        tensors = load_safetensors(arguments.example)
    except (OSError, ValueError, KeyError) as error:
        raise WrongInput(f"--example: {error}") from None
    number = 0
    while f"input_{number}" in tensors:
        if len(tensors[f"input_{number}"]) > 1:
            return tensors[f"input_{number}"]
        number += 1
    raise WrongInput(f"--example: expected an input_0, input_1, ... of at least 2 samples in {arguments.example}, got none")


def with_batch(example, batch):
    """The example's samples, again and again."""
    return example[torch.arange(batch) % len(example)]


def convert(script, example):
    """An exported program and whether its batch size is free."""
    from torch._export.converter import TS2EPConverter  # private: only who converts needs it
    program = TS2EPConverter(script, (example,)).convert()
    try:
        # Without the guards, which want the example's batch size; the program itself does not.
        module = program.module(check_guards=False)
        batch = torch.export.Dim("batch", min=1)
        return torch.export.export(module, (example,), dynamic_shapes=({0: batch},)), True
    except Exception as error:  # torch has many reasons, of many types
        print(f"  batch: fixed at {len(example)}, for torch says: {str(error).strip().splitlines()[0]}")
        return program, False


def agrees(name, model, script, example, batches):
    """Compares a program with the TorchScript file, prints a line for each batch, and says whether all are equal."""
    equal = True
    for batch in batches:
        given = with_batch(example, batch)
        with torch.no_grad():
            expected, output = script(given), model(given)
        if output.shape != expected.shape or output.dtype != expected.dtype:
            print(f"  {name}, batch {batch}: got {output.dtype} {list(output.shape)}")
            equal = False
            continue
        largest = expected.abs().max().item()
        relative = (output - expected).abs().max().item() / (largest if largest > 0 else 1)
        print(f"  {name}, batch {batch}: relative difference {relative:.3g}")
        equal = equal and relative <= TOLERANCE.get(expected.dtype, 0)  # false for NaN
    return equal


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="TorchScript file to read")
    parser.add_argument("out", help="exported program to write, *.pt2")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--example", help="file that `optotorch export --examples` wrote")
    source.add_argument("--shape", help="sizes of an input of float32 numbers, batch first")
    parser.add_argument("--aotinductor", metavar="PATH", help="compiled package to write too, *.pt2")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # of TorchScript's age, and of what torch will change

    try:
        for path in filter(None, (arguments.out, arguments.aotinductor)):
            if not path.endswith(".pt2"):
                raise WrongInput(f"expected a name that ends with .pt2, got {path}")
            if not os.path.isdir(os.path.dirname(path) or "."):
                raise WrongInput(f"{path}: there is no such folder")
        example = example_from(arguments)
        try:
            script = torch.jit.load(arguments.model, map_location="cpu").eval()
        except (OSError, RuntimeError, ValueError) as error:
            raise WrongInput(f"{arguments.model}: {str(error).strip().splitlines()[0]}") from None
        try:
            with torch.no_grad():
                script(example)
        except Exception as error:  # TorchScript's own errors are of a type without a public name
            raise WrongInput(f"{arguments.model} takes no {example.dtype} {list(example.shape)}: "
                             f"{str(error).strip().splitlines()[-1]}") from None
    except WrongInput as error:
        print(f"to_pt2: {error}", file=sys.stderr)
        return 2

    with torch.no_grad():
        program, is_free = convert(script, example)
        part = arguments.out[: -len(".pt2")] + ".part.pt2"  # torch wants the ending
        torch.export.save(program, part)
        batches = BATCHES if is_free else (len(example),)
        if not agrees("loaded again", torch.export.load(part).module(), script, example, batches):
            os.remove(part)
            print("to_pt2: the program and the TorchScript file differ: nothing was written", file=sys.stderr)
            return 1
        os.replace(part, arguments.out)
        print(f"wrote {arguments.out}: batches of {'any size' if is_free else len(example)}")
        if arguments.aotinductor:
            torch._inductor.aoti_compile_and_package(program, package_path=arguments.aotinductor)
            print(f"wrote {arguments.aotinductor}: compiled for this machine")
            compiled = torch._inductor.aoti_load_package(arguments.aotinductor)
            if not agrees("compiled", compiled, script, example, batches):
                print("to_pt2: the compiled program and the TorchScript file differ", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
