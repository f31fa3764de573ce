"""ONNX models that export_onnx wrote, as onnx checks them and onnxruntime runs them.

    onnx_test.py [FOLDER]

Without a folder the program OPTOTORCH_DUMP_ONNX writes one. It holds pairs NAME.onnx and NAME.safetensors, or one model.onnx and
examples.safetensors: input_0, output_0, input_1, ... as `optotorch export --examples` writes them.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy
    import onnx
    import onnxruntime
    import safetensors.numpy
except ImportError as error:
    print(f"skipped: {sys.executable}: {error}")
    sys.exit(77)

FOLDER = sys.argv.pop(1) if len(sys.argv) > 1 and os.path.isdir(sys.argv[1]) else None
PROGRAM = os.environ.get("OPTOTORCH_DUMP_ONNX")
if not FOLDER and not PROGRAM:
    print("skipped: no models, and nothing that writes them")
    sys.exit(77)
REAL_AND_WHOLE = {onnx.TensorProto.DataType.Value(name) for name in ("FLOAT", "DOUBLE", "INT32", "INT64", "BOOL")}
TOLERANCE = 1e-5


def examples_of(path):
    own = path.with_suffix(".safetensors")
    return own if own.exists() else path.with_name("examples.safetensors")


class Onnx(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = FOLDER
        if not folder:
            folder = cls.enterClassContext(tempfile.TemporaryDirectory())
            subprocess.run([PROGRAM, folder], check=True)
        cls.paths = sorted(pathlib.Path(folder).glob("*.onnx"))

    def each(self):
        self.assertTrue(self.paths, "no models")
        for path in self.paths:
            with self.subTest(path.stem):
                yield path

    def test_is_a_sound_model(self):
        for path in self.each():
            onnx.checker.check_model(str(path), full_check=True)

    def test_needs_nothing_but_onnx(self):
        for path in self.each():
            model = onnx.load(path)
            self.assertEqual([(entry.domain, entry.version) for entry in model.opset_import], [("", 17)])
            self.assertEqual({node.domain for node in model.graph.node}, {""})
            self.assertEqual((model.producer_name, model.ir_version), ("OptoTorch", 8))

    def test_computes_with_real_numbers(self):
        for path in self.each():
            graph = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True).graph
            values = [*graph.input, *graph.output, *graph.value_info]
            types = {value.type.tensor_type.elem_type for value in values}
            types |= {tensor.data_type for tensor in graph.initializer}
            self.assertLessEqual(types, REAL_AND_WHOLE)

    def test_stores_what_it_needs_once(self):
        for path in self.each():
            graph = onnx.load(path).graph
            names = [tensor.name for tensor in graph.initializer]
            self.assertEqual(len(names), len(set(names)))
            self.assertLessEqual(set(names), {name for node in graph.node for name in node.input})

    def test_takes_any_batch(self):
        for path in self.each():
            graph = onnx.load(path).graph
            self.assertEqual([value.name for value in graph.input], ["input"])
            self.assertEqual([value.name for value in graph.output], ["output"])
            for value in (*graph.input, *graph.output):
                self.assertEqual(value.type.tensor_type.shape.dim[0].dim_param, "batch")

    def test_gives_the_network_s_outputs(self):
        for path in self.each():
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3  # errors
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            tensors = safetensors.numpy.load_file(examples_of(path))
            batches = []
            while f"input_{len(batches)}" in tensors:
                number = len(batches)
                given, expected = tensors[f"input_{number}"], tensors[f"output_{number}"]
                batches.append(len(given))
                output, = session.run(["output"], {"input": given})
                self.assertEqual((output.shape, output.dtype), (expected.shape, expected.dtype))
                difference = numpy.abs(output.astype(numpy.float64) - expected).max()
                self.assertLessEqual(difference, TOLERANCE * numpy.abs(expected).max(), f"batch {len(given)}")
            self.assertEqual(batches, [1, 7, 64])


if __name__ == "__main__":
    unittest.main()
