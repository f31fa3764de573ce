"""tools/check_export.py passes what agrees and fails what does not."""

import contextlib
import importlib.util
import io
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
import warnings
from unittest import mock

try:
    import torch
except ImportError as error:
    print(f"skipped: {sys.executable}: {error}")
    sys.exit(77)

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "tools" / "check_export.py"
_spec = importlib.util.spec_from_file_location("check_export", SCRIPT)
check_export = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(check_export)
NAMES = {torch.float32: "F32", torch.float64: "F64"}


def write_safetensors(path, tensors):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        raw = bytes(tensor.contiguous().view(torch.uint8).reshape(-1).tolist())
        header[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


class CheckExport(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.model, self.examples = (pathlib.Path(folder.name) / name for name in ("model.pt", "examples.safetensors"))

    def write(self, real, error=0., keys=("input_{}", "output_{}"), row=0):
        """A traced linear layer and examples of two batch sizes; `error` spoils one value of the last output."""
        torch.manual_seed(0)
        layer = torch.nn.Linear(6, 3).to(real)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.jit.trace(layer, torch.zeros(2, 6, dtype=real)).save(str(self.model))
        tensors = {}
        for number, batch in enumerate((1, 5)):
            example = torch.randn(batch, 6, dtype=real)
            with torch.no_grad():
                expected = layer(example)
            if number == 1:
                expected[4, row] += error * expected.abs().max()
            tensors[keys[0].format(number)], tensors[keys[1].format(number)] = example, expected
        write_safetensors(self.examples, tensors)

    def run_script(self):
        """Its exit code and what it prints, without the seconds that a process of its own takes."""
        text = io.StringIO()
        with (mock.patch.object(sys, "argv", [str(SCRIPT), str(self.model), str(self.examples)]),
              contextlib.redirect_stdout(text), contextlib.redirect_stderr(text), warnings.catch_warnings()):
            warnings.simplefilter("ignore", DeprecationWarning)
            return check_export.main(), text.getvalue()

    def test_as_a_process(self):
        """The exit code reaches the shell."""
        for error, code in ((0., 0), (1., 1)):
            self.write(torch.float64, error)
            result = subprocess.run([sys.executable, SCRIPT, self.model, self.examples], capture_output=True)
            self.assertEqual(result.returncode, code, result.stderr)

    def test_equal(self):
        for real in NAMES:
            self.write(real)
            code, text = self.run_script()
            self.assertEqual(code, 0, text)
            for word in ("equal: all 2 examples", "batch 1", "batch 5", str(self.model), str(self.examples)):
                self.assertIn(word, text)

    def test_tolerance(self):
        for real, error, code in ((torch.float32, 5e-7, 0), (torch.float32, 2e-6, 1), (torch.float32, float("nan"), 1),
                                  (torch.float64, 1e-15, 1)):
            self.write(real, error)
            got, text = self.run_script()
            self.assertEqual(got, code, f"{real}, error {error}: {text}")

    def test_unreadable(self):
        self.write(torch.float32)
        whole = self.examples.read_bytes()
        for content in (b"", whole[:20], whole[:-4]):
            self.examples.write_bytes(content)
            code, text = self.run_script()
            self.assertEqual(code, 2, text)
            self.assertIn("check_export: ", text)
        self.examples.write_bytes(whole)
        self.model.write_bytes(b"not a model")
        self.assertEqual(self.run_script()[0], 2)

    def test_incomplete_examples(self):
        for keys in (("input_{}", "result_{}"), ("x_{}", "output_{}")):
            self.write(torch.float32, keys=keys)
            self.assertEqual(self.run_script()[0], 2)


if __name__ == "__main__":
    unittest.main()
