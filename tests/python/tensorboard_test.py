"""What TensorBoardWriter writes, as TensorBoard reads it: every value that dump_events.cpp says it has written."""

import io
import json
import logging
import math
import os
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib
from pathlib import Path

SKIPPED = 77  # what ctest counts as skipped

try:
    from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator
    from tensorboard.plugins.hparams import api_pb2, metadata
    from tensorboard.util import tensor_util
except ImportError as error:
    print(f"skipped: {sys.executable}: {error}")
    sys.exit(SKIPPED)
try:
    from PIL import Image
except ImportError:
    Image = None

GIVEN = Path(sys.argv.pop(1)) if len(sys.argv) > 1 and os.path.isdir(sys.argv[1]) else None
PROGRAM = os.environ.get("OPTOTORCH_DUMP_EVENTS")
if not GIVEN and not PROGRAM:
    print("skipped: neither a folder of dump_events nor OPTOTORCH_DUMP_EVENTS, the program")
    sys.exit(SKIPPED)


def unpacked(png):
    """Sizes [height, width, channels] and values of a PNG of 8 bits, grey or RGB, whose rows are not filtered."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, position = {}, 8
    while position < len(png):
        length, kind = struct.unpack_from(">I4s", png, position)
        data = png[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", png, position + 8 + length)
        assert checksum == zlib.crc32(kind + data), kind
        chunks[kind] = data
        position += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, bits, colour, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (bits, rest) == (8, [0, 0, 0])
    channels = {0: 1, 2: 3}[colour]
    rows, stride = zlib.decompress(chunks[b"IDAT"]), width * channels + 1
    assert len(rows) == stride * height and not any(rows[::stride])
    values = [value for y in range(height) for value in rows[y * stride + 1 : (y + 1) * stride]]
    return [height, width, channels], values


def unpacked_by_pillow(png):
    image = Image.open(io.BytesIO(png))
    image.load()
    return [image.height, image.width, len(image.getbands())], list(image.tobytes())


class ReadByTensorBoard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = GIVEN
        if not folder:
            temporary = tempfile.TemporaryDirectory()
            cls.addClassCleanup(temporary.cleanup)
            folder = Path(temporary.name)
            subprocess.run([PROGRAM, folder], check=True)
        cls.expected = json.loads((folder / "expected.json").read_text())
        logging.getLogger("tensorboard").setLevel(logging.ERROR)  # which tells of what is purged
        everything = event_accumulator.STORE_EVERYTHING_SIZE_GUIDANCE
        cls.runs, cls.tensors = {}, {}
        for name in cls.expected:
            cls.runs[name] = event_accumulator.EventAccumulator(str(folder / name), everything).Reload()
            # The reader of the program itself, for which everything is a tensor.
            cls.tensors[name] = plugin_event_accumulator.EventAccumulator(
                str(folder / name), {plugin_event_accumulator.TENSORS: 0}).Reload()

    def each(self, kind, readers):
        return [(readers[name], tag, points) for name, expected in self.expected.items()
                for tag, points in expected[kind].items()]

    def check_steps(self, events, points):
        self.assertEqual([event.step for event in events], [step for step, *_ in points])

    def same(self, got, expected):
        expected = float(expected)
        if math.isnan(expected):
            self.assertTrue(math.isnan(got), got)
        else:
            self.assertTrue(got == expected or math.isclose(got, expected, rel_tol=1e-12), (got, expected))

    def test_tags(self):
        for name, expected in self.expected.items():
            tags = self.runs[name].Tags()
            for kind, said in (("scalars", "scalars"), ("histograms", "histograms"), ("images", "images"),
                               ("tensors", "texts")):
                got = [tag for tag in tags[kind] if not tag.startswith("_hparams_/")]
                self.assertEqual(sorted(got), sorted(expected[said]))
            self.assertEqual(self.runs[name].file_version, 2)

    def test_times(self):
        now = time.time()
        for event in self.runs["run"].Scalars("loss/train"):
            self.assertTrue(now - 3 * 86400 < event.wall_time < now + 60, event)

    def test_scalars(self):
        for run, tag, points in self.each("scalars", self.runs):
            with self.subTest(tag):
                events = run.Scalars(tag)
                self.check_steps(events, points)
                for event, (_, value) in zip(events, points):
                    self.same(event.value, value)

    def test_texts(self):
        for run, tag, points in self.each("texts", self.tensors):
            with self.subTest(tag):
                self.assertEqual(run.SummaryMetadata(tag).plugin_data.plugin_name, "text")
                events = run.Tensors(tag)
                self.check_steps(events, points)
                for event, (_, text) in zip(events, points):
                    array = tensor_util.make_ndarray(event.tensor_proto)
                    self.assertEqual((array.shape, array[0].decode()), ((1,), text))

    def test_histograms(self):
        for run, tag, points in self.each("histograms", self.runs):
            events = run.Histograms(tag)
            self.check_steps(events, points)
            for event, (step, said) in zip(events, points):
                with self.subTest(tag, step=step):
                    self.check_histogram(event.histogram_value, said)

    def check_histogram(self, got, said):
        for value, expected in zip((got.min, got.max, got.num, got.sum, got.sum_squares), said):
            self.same(value, expected)
        self.assertEqual(len(got.bucket), 0 if got.num == 0 else 1 if got.min == got.max else 64)
        self.assertEqual(len(got.bucket), len(got.bucket_limit))
        self.assertEqual((sum(got.bucket), max(got.bucket, default=0)), (got.num, said[5]))
        self.assertEqual(got.bucket_limit, sorted(got.bucket_limit))
        if got.bucket:
            self.assertEqual(got.bucket_limit[-1], got.max)
            self.assertGreater(min(got.bucket[0], got.bucket[-1]), 0)

    def test_images(self):
        for run, tag, points in self.each("images", self.runs):
            events = run.Images(tag)
            self.check_steps(events, points)
            for event, (step, sizes, values) in zip(events, points):
                with self.subTest(tag, step=step):
                    self.assertEqual([event.height, event.width], sizes[:2])
                    for read in (unpacked, unpacked_by_pillow) if Image else (unpacked,):
                        self.assertEqual(read(event.encoded_image_string), (sizes, values))

    def test_hparams(self):
        expected = self.expected["run"]
        content = self.runs["run"].PluginTagToContent(metadata.PLUGIN_NAME)
        experiment = metadata.parse_experiment_plugin_data(content[metadata.EXPERIMENT_TAG])
        start = metadata.parse_session_start_info_plugin_data(content[metadata.SESSION_START_INFO_TAG])
        end = metadata.parse_session_end_info_plugin_data(content[metadata.SESSION_END_INFO_TAG])
        values = {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}
        self.assertEqual(values, expected["hparams"])
        types = {str: api_pb2.DATA_TYPE_STRING, bool: api_pb2.DATA_TYPE_BOOL, float: api_pb2.DATA_TYPE_FLOAT64}
        self.assertEqual({info.name: info.type for info in experiment.hparam_infos},
                         {name: types[type(value)] for name, value in values.items()})
        self.assertEqual([info.name.tag for info in experiment.metric_infos], sorted(expected["metrics"]))
        self.assertEqual(end.status, api_pb2.STATUS_SUCCESS)
        for tag, value in expected["metrics"].items():
            self.assertEqual(self.runs["run"].Scalars(tag)[-1].value, value)


if __name__ == "__main__":
    unittest.main()
