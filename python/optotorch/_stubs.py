"""Prints the type stubs of optotorch.nn: python -m optotorch._stubs > nn.pyi"""

import json

import torch

import optotorch

HEAD = '''# Written by python -m optotorch._stubs.
from collections.abc import Sequence
from typing import Any, Literal

import torch

class Layer(torch.nn.Module):
    description: str
    def forward(self, input: torch.Tensor) -> torch.Tensor: ...
    def __call__(self, input: torch.Tensor) -> torch.Tensor: ...
    def matrix(self) -> torch.Tensor: ...
    def set_matrix(self, weight: torch.Tensor) -> None: ...
'''

TYPES = {"bool": "bool", "int": "int", "float": "float", "str": "str", "ints": "Sequence[int]", "floats": "Sequence[float]",
         "strs": "Sequence[str]", "layer": "Layer", "object": "dict[str, Any]", "objects": "Sequence[dict[str, Any]]"}


def kind_of(field):
    if "words" in field:
        return f"Literal[{', '.join(json.dumps(word) for word in field['words'])}]"
    return TYPES[field["kind"]]


def stubs():
    text = HEAD
    for part in json.loads(torch.ops.optotorch.layer_types()):
        if part["name"] in optotorch.nn.__all__:
            arguments = ["self", *(f"{field['name']}: {kind_of(field)}{' = ...' if 'default' in field else ''}"
                                   for field in part["fields"])]
            text += f"\nclass {part['name']}(Layer):\n    def __init__({', '.join(arguments)}) -> None: ...\n"
    return text


if __name__ == "__main__":
    print(stubs(), end="")
