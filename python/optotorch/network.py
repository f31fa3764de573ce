"""Networks as the C++ library and the program write them: architecture and weights in one safetensors file."""

import json

import torch

from optotorch import nn

ops = torch.ops.optotorch


class Hybrid(torch.nn.Sequential):
    """A chain of optical layers and torch.nn modules. In Python as torch.nn.Sequential; its name is the C++ library's."""


def _electronic(kind, options):
    """A module of torch.nn from options by the names of LibTorch."""
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    if kind.startswith("BatchNorm"):
        options["momentum"] = options["momentum"] or None
    if kind == "AdaptiveAvgPool2d":
        options["output_size"] = tuple(size or None for size in options["output_size"])
    if kind == "Unflatten":
        options["unflattened_size"] = options.pop("sizes")
    return getattr(torch.nn, kind)(**options)


def _module(said):
    options = {name: value for name, value in said.items() if name not in ("type", "name", "initial")}
    kind = said["type"]
    if kind in ("Hybrid", "Sequential"):
        return _chain(Hybrid if kind == "Hybrid" else torch.nn.Sequential, options["layers"])
    layer = getattr(nn, kind, None) if kind in nn.__all__ else None
    if layer is None:
        return _electronic(kind, options)
    return layer(**{name: _module(value) if isinstance(value, dict) and "type" in value else value
                    for name, value in options.items()})


def _chain(make, layers):
    chain = make()
    for index, said in enumerate(layers):
        chain.add_module(said.get("name", str(index)), _module(said))
    return chain


def _network(description, names, tensors):
    with torch.random.fork_rng(devices=[]):
        network = _chain(Hybrid, json.loads(description)["layers"])
    network.load_state_dict(dict(zip(names, tensors)), assign=True)
    learn = {name: tensor.requires_grad for name, tensor in zip(names, tensors)}
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(learn[name])
    return network


def build(description, **sizes):
    """The network that a description (a dict, or JSON text) stands for, with the initial weights that C++ draws for the
    same seed. `sizes` gives whole numbers that it names: build(text, classes=10)."""
    text = description if isinstance(description, str) else json.dumps(description)
    return _network(*ops.build_network(text, list(sizes), list(sizes.values())))


def describe(network):
    """The architecture of a network as JSON text, no weights."""
    return json.dumps({"format": "optotorch-network-1", "layers": _layers(network)}, indent=2)


def _layers(chain):
    layers = []
    for index, (name, module) in enumerate(chain.named_children()):
        said = _described(module)
        if name != str(index):
            said["name"] = name
        layers.append(said)
    return layers


def _described(module):
    if isinstance(module, nn.Layer):
        return json.loads(module.description)
    kind = type(module).__name__
    if isinstance(module, torch.nn.Sequential):
        return {"type": kind, "layers": _layers(module)}
    known = {part["name"]: part["fields"] for part in json.loads(ops.layer_types()) if hasattr(torch.nn, part["name"])}
    if type(module).__module__.startswith("torch.nn.") and kind in known:
        return {"type": kind, **{field["name"]: _option(module, kind, field) for field in known[kind]}}
    raise ValueError(f"describe: network: expected layers of optotorch.nn and modules of torch.nn that the C++ library "
                     f"has ({', '.join(sorted(known))}), got {kind}")


def _option(module, kind, field):
    name = {"sizes": "unflattened_size"}.get(field["name"], field["name"]) if kind == "Unflatten" else field["name"]
    value = getattr(module, name)
    if field["kind"] == "bool":
        return value is not None and value is not False
    if field["kind"] == "ints":
        sizes = field.get("default", [0, 0])
        value = [value] * max(len(sizes), 2 if kind.endswith("2d") else 1) if isinstance(value, int) else value
        return [size or 0 for size in value]
    return value if value is not None else 0


def load_network(path):
    """The network in a file that `save_network`, C++ or the program wrote, in training mode. No code is executed.
    ValueError, naming the file, if it is damaged or holds no network."""
    return _network(*ops.read_network(str(path)))


def save_network(network, path):
    """Writes a chain of optical layers and torch.nn modules to a file, whole or not at all, that C++, the program and
    `load_network` read."""
    weights = {**network.state_dict(), **dict(network.named_parameters())}
    ops.write_network(str(path), describe(network), list(weights), list(weights.values()))
