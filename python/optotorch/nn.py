"""Optical layers as torch.nn modules, one class for every layer and module of the C++ library: the same names, options,
parameters and state_dict keys, the same initial values for the same seed, the same bits. Gradients are the layers' own
pull-backs.

A layer with the values of its tensors is one operator, torch.ops.optotorch.layer: torch.compile, torch.export and
torch.func see no more of it than that.
"""

import functools
import inspect
import json

import torch
from torch._subclasses.fake_tensor import unset_fake_temporarily

ops = torch.ops.optotorch

__all__ = ["Layer"]

_kinds = {"bool": "bool", "int": "int", "float": "float", "str": "str", "word": "str", "ints": "list of int",
          "floats": "list of float", "strs": "list of str", "layer": "Layer", "object": "dict", "objects": "list of dict"}


class Layer(torch.nn.Module):
    """A layer of the C++ library. Its options are attributes, and `description` is the whole of it as JSON."""

    def __init__(self, *arguments, **options):
        super().__init__()
        given = self.__signature__.bind(*arguments, **options).arguments
        layers = {name: value for name, value in given.items() if isinstance(value, Layer)}
        said = {name: _described(value) for name, value in given.items()}
        said = {"type": type(self).__name__, **said}
        # Layers inside come as they are: the values drawn for them here are not used.
        description, parameters, buffers, values = ops.layer_state(json.dumps(said))
        self.description = description
        for name, layer in layers.items():
            self.add_module(name, layer)
        for name, value in zip(parameters, values):
            self._keep(name, torch.nn.Parameter(value), layers)
        for name, value in zip(buffers, values[len(parameters):]):
            self._keep(name, value, layers)
        self._names = (*parameters, *buffers)
        self._counters = [name for name, value in zip(buffers, values[len(parameters):]) if not _is_continuous(value)]
        for name, value in json.loads(description).items():
            if name != "type" and not hasattr(self, name):
                setattr(self, name, value)

    def _keep(self, name, value, layers):
        *path, own = name.split(".")
        if path and path[0] in layers:
            return
        module = self
        for part in path:
            if part not in module._modules:
                module.add_module(part, torch.nn.Module())
            module = module._modules[part]
        if isinstance(value, torch.nn.Parameter):
            module.register_parameter(own, value)
        else:
            module.register_buffer(own, value)

    def _at(self, name):
        *path, own = name.split(".")
        module = self
        for part in path:
            module = module._modules[part]
        found = module._parameters.get(own)
        return module._buffers[own] if found is None else found

    def _state(self):
        parameters, buffers = self._parameters, self._buffers
        return [parameters[name] if name in parameters else buffers[name] if name in buffers else self._at(name)
                for name in self._names]

    def forward(self, input):
        state = self._state()
        if self._counters and torch.is_grad_enabled():
            # What the way back begins with, whatever becomes of the counters.
            state = [value if _is_continuous(value) else value.clone() for value in state]
        if torch._C._are_functorch_transforms_active():
            output, *counters = _Pass.apply(self.description, self.training, input, *state)
        else:
            output, counters = ops.layer.default(input, state, layer=self.description, training=self.training)
        for name, value in zip(self._counters, counters):
            self._at(name).copy_(value)
        return output

    def extra_repr(self):
        return ", ".join(f"{name}={value}" for name, value in json.loads(self.description).items()
                         if name != "type" and not isinstance(value, dict))

    @torch.no_grad()
    def matrix(self):
        """The weights W [outputs, inputs] that the layer realises, of one that may be given any (`set_matrix`)."""
        return ops.layer_weight(self._state(), layer=self.description)

    @torch.no_grad()
    def set_matrix(self, weight):
        """Sets the parameters with which the layer realises `weight`; ValueError for what it cannot."""
        state = self._state()
        for own, value in zip(state, ops.layer_set_weight(weight, state, layer=self.description)):
            own.copy_(value)


def _is_continuous(value):
    return value.is_floating_point() or value.is_complex()


def _described(value):
    if isinstance(value, Layer):
        return json.loads(value.description)
    if isinstance(value, torch.nn.Module):
        raise ValueError(f"optotorch.nn: component: expected an optical layer, got {type(value).__name__}")
    return value


def _signature(fields):
    """Options in the order of the C++ library, those without a default first."""
    parameter = inspect.Parameter
    return inspect.Signature([
        parameter(field["name"], parameter.POSITIONAL_OR_KEYWORD, default=field.get("default", parameter.empty))
        for field in fields
    ])


def _documented(part):
    lines = [f"optotorch::{part['name']} of the C++ library.", "", "Options:"]
    for field in part["fields"]:
        kind = " | ".join(repr(word) for word in field["words"]) if "words" in field else _kinds[field["kind"]]
        usual = f" = {field['default']!r}" if "default" in field else ""
        lines.append(f"    {field['name']}: {kind}{usual}")
    return "\n".join(lines if part["fields"] else lines[:1])


for _part in json.loads(ops.layer_types()):
    if _part["layer"] or not hasattr(torch.nn, _part["name"]):
        globals()[_part["name"]] = type(_part["name"], (Layer,), {
            "__module__": __name__,
            "__doc__": _documented(_part),
            "__signature__": _signature(_part["fields"]),
        })
        __all__.append(_part["name"])


# --- What PyTorch's transformations must know of the operators


@functools.lru_cache(maxsize=4096)
def _shape_behind(layer, sample, dtype, real, training):
    """Shape of a sample behind a layer, and the type: the layer is asked, with values of its own."""
    with unset_fake_temporarily(), torch.random.fork_rng(devices=[]), torch.no_grad():
        state = [value.to(real) if value.is_floating_point() else value for value in ops.layer_state(layer)[3]]
        output, _ = ops.layer(torch.zeros(2, *sample, dtype=dtype), state, layer=layer, training=training, gradient=True)
    return tuple(output.shape[1:]), output.dtype


@torch.library.register_fake("optotorch::layer")
def _(input, state, *, layer, training=True, gradient=False):
    real = next((value.dtype for value in state if value.is_floating_point()), torch.float32)
    sample = tuple(int(size) for size in input.shape[1:])
    shape, dtype = _shape_behind(layer, sample, input.dtype, real, training)
    return (input.new_empty((input.shape[0], *shape), dtype=dtype),
            [torch.empty_like(value) for value in state if not _is_continuous(value)])


@torch.library.register_fake("optotorch::layer_backward")
def _(dL_doutput, input, output, state, *, layer, training=True, to_input=True):
    parameters = _parameters_of(layer)
    return (torch.empty_like(input, memory_format=torch.contiguous_format) if to_input else input.new_empty(0),
            [torch.empty_like(value) for value in state[:parameters]])


@functools.lru_cache(maxsize=4096)
def _parameters_of(layer):
    with unset_fake_temporarily(), torch.random.fork_rng(devices=[]):
        return len(ops.layer_state(layer)[1])


def _folded(tensor, dim, size):
    """What is mapped over joins the batch: [mapped, batch, ...] -> [mapped * batch, ...]."""
    tensor = tensor.expand(size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
    return tensor.reshape(-1, *tensor.shape[2:])


def _each(size, tensors, dims, call):
    """One call for every value that is mapped over."""
    def pick(tensor, dim, k):
        if isinstance(tensor, (list, tuple)):
            return [pick(one, at, k) for one, at in zip(tensor, dim or [None] * len(tensor))]
        return tensor if dim is None else tensor.select(dim, k)

    results = [call(*(pick(tensor, dim, k) for tensor, dim in zip(tensors, dims))) for k in range(size)]
    return (torch.stack([first for first, _ in results]),
            [torch.stack(each) for each in zip(*(rest for _, rest in results))])


def _mapped(info, in_dims, input, state, call):
    """What `call(input, state)` gives for all values that are mapped over, and along which dimensions."""
    if in_dims[1] is None or all(dim is None for dim in in_dims[1]):
        output, counters = call(_folded(input, in_dims[0], info.batch_size), state)
        return (output.reshape(info.batch_size, -1, *output.shape[1:]), counters), (0, [None] * len(counters))
    output, counters = _each(info.batch_size, (input, state), in_dims, call)
    return (output, counters), (0, [0] * len(counters))


@torch.library.register_vmap("optotorch::layer")
def _(info, in_dims, input, state, **options):
    return _mapped(info, in_dims, input, state, functools.partial(ops.layer, **options))


@torch.library.register_vmap("optotorch::layer_backward")
def _(info, in_dims, dL_doutput, input, output, state, **options):
    dL_dinput, gradients = _each(info.batch_size, (dL_doutput, input, output, state), in_dims,
                                 functools.partial(ops.layer_backward, **options))
    return (dL_dinput, gradients), (0, [0] * len(gradients))


class _Pass(torch.autograd.Function):
    """What the operator's place in a graph is, for torch.func, which looks into no node of C++."""

    @staticmethod
    def forward(layer, training, input, *state):
        output, counters = ops.layer(input, list(state), layer=layer, training=training, gradient=True)
        return (output, *counters)

    @staticmethod
    def setup_context(ctx, inputs, outputs):
        layer, training, input, *state = inputs
        ctx.options = {"layer": layer, "training": training}
        ctx.save_for_backward(input, outputs[0], *state)
        ctx.mark_non_differentiable(*outputs[1:])

    @staticmethod
    def backward(ctx, dL_doutput, *_):
        input, output, *state = ctx.saved_tensors
        to_input = ctx.needs_input_grad[2]
        dL_dinput, gradients = ops.layer_backward(dL_doutput, input, output, state, to_input=to_input, **ctx.options)
        rest = [None] * (len(state) - len(gradients))
        return (None, None, dL_dinput if to_input else None, *gradients, *rest)

    @staticmethod
    def vmap(info, in_dims, layer, training, input, *state):
        def call(input, state):
            output, *counters = _Pass.apply(layer, training, input, *state)
            return output, counters

        (output, counters), (dim, dims) = _mapped(info, (in_dims[2], in_dims[3:]), input, list(state), call)
        return (output, *counters), (dim, *dims)
