#!/usr/bin/env python3
"""Runs an exported network where OptoTorch is not, and compares it with what OptoTorch computed.

    check_export.py MODEL.pt EXAMPLES.safetensors

MODEL.pt is TorchScript, as `optotorch export` writes it. EXAMPLES.safetensors holds input_0, output_0, input_1,
output_1, ...: batches of any sizes and the network's outputs for them. Needs torch and nothing else.

A .pt file is a program, which runs as soon as it is loaded: check only what you would run. `optotorch info MODEL.pt`
looks at one without running it.

Ends with 0 if every output agrees (float64 exactly, float32 to 1e-6 of the largest output), 1 if one does not, and 2
if a file cannot be read.
"""

import argparse
import json
import os
import struct
import sys
import warnings

import torch

TYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
    "C64": torch.complex64,
}
TOLERANCE = {torch.float64: 0, torch.complex128: 0, torch.float32: 1e-6, torch.complex64: 1e-6}


def load_safetensors(path):
    """{name: tensor}. The format: the header's length in 8 bytes, a JSON header, then the tensors' bytes."""
    with open(path, "rb") as file:
        content = bytearray(file.read())
    if len(content) < 8:
        raise ValueError(f"{path}: {len(content)} bytes are no safetensors file")
    header_length, = struct.unpack_from("<Q", content)
    if header_length > len(content) - 8:
        raise ValueError(f"{path}: the header's {header_length} bytes exceed the file: it is cut off")
    header = json.loads(content[8:8 + header_length])
    metadata = header.pop("__metadata__", {})
    if "threads" in metadata:
        # The last bits of LibTorch's matrix products depend on the number of threads: compare with the same.
        torch.set_num_threads(int(metadata["threads"]))
    data = memoryview(content)[8 + header_length:]
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        dtype, shape = TYPES[entry["dtype"]], entry["shape"]
        if not 0 <= begin <= end <= len(data):
            raise ValueError(f"{path}: {name} ends at byte {end} of {len(data)}: the file is cut off")
        if begin == end:
            tensors[name] = torch.empty(shape, dtype=dtype)
        else:
            # A copy: the bytes of a tensor stand wherever the one before it ends.
            tensors[name] = torch.frombuffer(bytearray(data[begin:end]), dtype=dtype).reshape(shape)
    return tensors


def example_pairs(tensors):
    """[(input, output), ...] in order."""
    pairs = []
    while f"input_{len(pairs)}" in tensors:
        number = len(pairs)
        if f"output_{number}" not in tensors:
            raise ValueError(f"input_{number} has no output_{number}")
        pairs.append((tensors[f"input_{number}"], tensors[f"output_{number}"]))
    if not pairs:
        raise ValueError("the examples hold no input_0")
    return pairs


def agrees(model, number, example, expected):
    """Runs one example, prints a line about it, and says whether the output is as expected."""
    with torch.no_grad():
        output = model(example)
    line = f"  example {number}: batch {len(example)}, {expected.dtype} {list(expected.shape)}: ".replace("torch.", "")
    if output.shape != expected.shape or output.dtype != expected.dtype:
        print(line + f"got {output.dtype} {list(output.shape)}".replace("torch.", ""))
        return False
    if expected.numel() == 0:
        print(line + "nothing to compare")
        return True
    absolute = (output - expected).abs().max().item()
    largest = expected.abs().max().item()
    relative = absolute / largest if largest > 0 else absolute
    print(line + f"max |difference| {absolute:.3g}, relative {relative:.3g}")
    return relative <= TOLERANCE[expected.dtype]  # false for NaN


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("examples")
    arguments = parser.parse_args()

    # TorchScript's warning that it is old would hide the verdict.
    warnings.simplefilter("ignore", DeprecationWarning)
    try:
        pairs = example_pairs(load_safetensors(arguments.examples))
        model = torch.jit.load(arguments.model, map_location="cpu").eval()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        print(f"check_export: {error}", file=sys.stderr)
        return 2

    print(f"torch {torch.__version__} without OptoTorch runs {os.path.abspath(arguments.model)}")
    print(f"against {os.path.abspath(arguments.examples)}")
    verdicts = [agrees(model, number, *pair) for number, pair in enumerate(pairs)]
    if not all(verdicts):
        print(f"DIFFERENT: {verdicts.count(False)} of {len(verdicts)} examples", file=sys.stderr)
        return 1
    print(f"equal: all {len(verdicts)} examples")
    return 0


if __name__ == "__main__":
    sys.exit(main())
