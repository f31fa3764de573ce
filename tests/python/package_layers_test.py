"""Every layer of the package `optotorch` against the C++ library, and under what PyTorch does to modules."""

import copy
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tempfile
import unittest
import warnings
from pathlib import Path

from operators import run_tests, skip, torch

try:
    import optotorch
except ImportError as error:
    skip(f"{sys.executable}: {error}")

from optotorch import nn

torch.set_num_threads(1)
SEED = 7  # that of dump_layers.cpp
TYPES = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64, "BOOL": torch.bool, "U8": torch.uint8}


def content(path):
    """Description and tensors of a file of dump_layers."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    head = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in head.items():
        if name != "__metadata__":
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            flat = torch.frombuffer(bytearray(data[begin:end]), dtype=TYPES[entry["dtype"]]) if end > begin else \
                torch.empty(0, dtype=TYPES[entry["dtype"]])
            value = flat.reshape(entry["shape"])
            # A tensor of its own: tracing follows views to what they are of.
            tensors[name.rstrip("~")] = torch.view_as_complex(value).clone() if name.endswith("~") else value
    return head["__metadata__"], tensors


def part(tensors, prefix):
    return {name[len(prefix):]: value for name, value in tensors.items() if name.startswith(prefix)}


class SameAsInCpp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        subprocess.run([os.environ["OPTOTORCH_DUMP_LAYERS"], cls.folder.name], check=True)
        cases = {path.stem: content(path) for path in sorted(Path(cls.folder.name).glob("*.safetensors"))}
        cls.kinds = {name: cls.said(metadata)["type"] for name, (metadata, _) in cases.items()}
        cls.cases = {name: case for name, case in cases.items() if cls.kinds[name] in nn.__all__
                     and not cls.said(case[0]).get("dropout")}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @staticmethod
    def said(metadata):
        return json.loads(metadata["network"])["layers"][0]

    def layer(self, name):
        """The first layer of the case, new, with the values that the file says."""
        metadata, tensors = self.cases[name]
        net = optotorch.network._chain(optotorch.Hybrid, json.loads(metadata["network"])["layers"])
        net.load_state_dict(part(tensors, "state/"))
        return net[0], tensors

    def test_the_table_is_there(self):
        self.assertGreater(len(self.cases), 60)
        layers = {one["name"] for one in json.loads(torch.ops.optotorch.layer_types()) if one["layer"]}
        self.assertEqual(layers - set(self.kinds.values()), set(), "layers that no case tries")

    def test_names_shapes_and_descriptions(self):
        for name in self.cases:
            with self.subTest(name):
                layer, tensors = self.layer(name)
                self.assertEqual(set(layer.state_dict(prefix="0.")), set(part(tensors, "state/")))
                self.assertEqual(json.loads(layer.description), self.said(self.cases[name][0]))

    def test_initial_values_are_those_of_the_seed(self):
        for name, (metadata, tensors) in self.cases.items():
            if "Imperfect" in name or "Readout" in name:  # given other values after they were made
                continue
            with self.subTest(name):
                torch.manual_seed(SEED)
                net = optotorch.build(metadata["network"])
                for key, value in part(tensors, "state/").items():
                    self.assertTrue(torch.equal(net.state_dict()[key], value), key)

    def test_outputs_and_gradients_to_the_bit(self):
        for name in self.cases:
            with self.subTest(name):
                layer, tensors = self.layer(name)
                x = tensors["input"].clone().requires_grad_()
                y = layer(x)
                self.assertTrue(torch.equal(y, tensors["output"]))
                if not y.requires_grad:
                    continue
                y.backward(tensors["dL_doutput"])
                self.assertTrue(torch.equal(x.grad, tensors["dL_dinput"]))
                gradients = part(tensors, "gradient/")
                for key, parameter in layer.named_parameters():
                    self.assertTrue(torch.equal(parameter.grad, gradients["0." + key]), key)
                for key, value in part(tensors, "after/").items():
                    self.assertTrue(torch.equal(layer.state_dict(prefix="0.")[key], value), key)

    def test_eval_mode_is_what_is_deployed(self):
        for name in self.cases:
            with self.subTest(name):
                layer, tensors = self.layer(name)
                layer.load_state_dict({**layer.state_dict(), **part(tensors, "after/0.")})
                layer.eval()
                with torch.no_grad():
                    for _ in range(2):
                        self.assertTrue(torch.equal(layer(tensors["input"]), tensors["deployed"]))

    def test_compile_and_export(self):
        for name in self.cases:
            with self.subTest(name):
                layer, tensors = self.layer(name)
                x = tensors["input"].clone().requires_grad_()
                torch.compiler.reset()
                compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
                y = compiled(x)
                self.assertTrue(torch.equal(y, tensors["output"]))
                if y.requires_grad:
                    y.backward(tensors["dL_doutput"])
                    self.assertTrue(torch.equal(x.grad, tensors["dL_dinput"]))
                    gradients = part(tensors, "gradient/0.")
                    for key, parameter in layer.named_parameters():
                        self.assertTrue(torch.equal(parameter.grad, gradients[key]), key)

    def test_export_for_any_batch(self):
        batch = torch.export.Dim("batch", min=2)
        for name in ("Mesh", "MziLinearWide", "WeightBank", "ConvolutionOfAWeightBank", "PhotodetectorIntensity"):
            with self.subTest(name):
                layer, tensors = self.layer(name)
                layer.eval()
                program = torch.export.export(layer, (tensors["input"],), dynamic_shapes=({0: batch},))
                other = torch.cat([tensors["input"]] * 3)
                self.assertTrue(torch.equal(program.module()(other), layer(other)))

    def test_functional_transforms(self):
        for name in ("Mesh", "MziLinearWide", "WeightBank", "PhotodetectorIntensity", "ConvolutionOfAWeightBank"):
            with self.subTest(name):
                layer, tensors = self.layer(name)
                x = torch.stack([tensors["input"], tensors["input"].flip(0), tensors["input"] * .5])
                for mapped in (x, x.movedim(0, 1)):
                    dim = 0 if mapped is x else 1
                    y = torch.func.vmap(layer, in_dims=dim)(mapped)
                    self.assertTrue(torch.allclose(y, torch.stack([layer(one) for one in x]), atol=1e-6))
                state = dict(layer.named_parameters())

                def loss(state, one):
                    return torch.func.functional_call(layer, state, (one[None],)).abs().sum()

                if state:
                    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(state, tensors["input"])
                    for k, one in enumerate(tensors["input"]):
                        expected = torch.func.grad(loss)(state, one)
                        for key in state:
                            self.assertTrue(torch.allclose(each[key][k], expected[key], atol=1e-5), key)
                stacked = {key: torch.stack([value, value * .9]) for key, value in state.items()}
                both = torch.func.vmap(lambda values: torch.func.functional_call(layer, values, (tensors["input"],)))
                if state:
                    y = both(stacked)
                    for k in range(2):
                        one = {key: value[k] for key, value in stacked.items()}
                        expected = torch.func.functional_call(layer, one, (tensors["input"],))
                        self.assertTrue(torch.allclose(y[k], expected, atol=1e-6))

    def test_copies(self):
        for name in self.cases:
            with self.subTest(name):
                layer, tensors = self.layer(name)
                kept = io.BytesIO()
                torch.save(layer, kept)
                kept.seek(0)
                for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)),
                              torch.load(kept, weights_only=False)):
                    self.assertTrue(torch.equal(other(tensors["input"]), tensors["output"]))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    run_tests()
