"""Data sets of arrays, value by value against torchvision's own classes, on files that Python writes.

usage: array_sets_test.py DUMP_IMAGE_SET [--time]
"""

import bz2
import csv
import json
import pathlib
import pickle
import subprocess
import sys
import tempfile
import unittest


def skip(what):
    print("skipped: needs", what)
    sys.exit(77)


try:
    import numpy as np
    import torch
except ImportError as error:
    skip(error.name)
try:
    # The wheel's operators need CUDA: as much of them as its Python asks for.
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
                     "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"):
        library.define(operator)
    import torchvision
    from torchvision import datasets
except ImportError as error:
    skip(error.name or "torchvision")
try:
    import scipy.io
except ImportError:
    scipy = None

DUMP = None
random = np.random.default_rng(7)


def read_safetensors(path):
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8:8 + size])
    types = {"U8": np.uint8, "I64": np.int64}

    def array(name):
        begin, end = header[name]["data_offsets"]
        return np.frombuffer(content[8 + size + begin:8 + size + end],
                             types[header[name]["dtype"]]).reshape(header[name]["shape"])

    return array("images"), array("targets"), json.loads(header["__metadata__"]["classes"])


def run(name, root, part, ok=True):
    """Images, targets, class names, and the seconds that reading took."""
    with tempfile.TemporaryDirectory() as out:
        path = pathlib.Path(out) / "set.safetensors"
        result = subprocess.run([DUMP, name, str(root), part, str(path)], capture_output=True, text=True)
        if not ok:
            return result
        if result.returncode != 0:
            raise AssertionError(result.stderr)
        return *read_safetensors(path), float(result.stdout)


def without_sums(cls, *arguments, **options):
    """An object of torchvision's class, whatever the sums of its files are."""
    module = sys.modules[cls.__module__]
    kept = {name: module.__dict__[name] for name in ("check_integrity",) if name in module.__dict__}
    try:
        for name in kept:
            setattr(module, name, lambda path, md5=None: pathlib.Path(path).is_file())
        return cls(*arguments, **options)
    finally:
        for name, value in kept.items():
            setattr(module, name, value)


class ArraySets(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        self.addCleanup(self.folder.cleanup)

    def compare(self, name, part, theirs, classes=None):
        images, targets, names, _ = run(name, self.root, part)
        self.assertEqual(len(images), len(theirs))
        for i in range(len(theirs)):
            image, target = theirs[i]
            pixels = np.asarray(image)
            pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
            np.testing.assert_array_equal(images[i], pixels, err_msg=f"{name} {part} {i}")
            self.assertEqual(targets[i], -1 if target is None else target)
        if classes is None:
            classes = theirs.classes
        if classes:
            self.assertEqual(names, list(classes))

    def write_cifar10(self, protocol, rows=7):
        folder = self.root / "cifar-10-batches-py"
        folder.mkdir(exist_ok=True)
        for name in [f"data_batch_{k}" for k in range(1, 6)] + ["test_batch"]:
            batch = {"batch_label": name, "labels": random.integers(0, 10, rows).tolist(),
                     "data": random.integers(0, 256, (rows, 3072), dtype=np.uint8),
                     "filenames": [f"{k}.png" for k in range(rows)]}
            with open(folder / name, "wb") as file:
                pickle.dump(batch, file, protocol)
        with open(folder / "batches.meta", "wb") as file:
            pickle.dump({"num_cases_per_batch": 10000, "num_vis": 3072, "label_names": [f"class {k}" for k in range(10)]},
                        file, protocol)

    def test_cifar10(self):
        for protocol in (2, 3, 4):
            with self.subTest(protocol=protocol):
                self.write_cifar10(protocol)
                for part in ("train", "test"):
                    self.compare("cifar10", part, without_sums(datasets.CIFAR10, self.root, part == "train"))

    def test_protocols_beyond_are_refused(self):
        for protocol in (0, 1, 5):
            self.write_cifar10(protocol)
            self.assertIn("a protocol from 2 to 4", run("cifar10", self.root, "test", ok=False).stderr)

    def test_cifar100(self):
        folder = self.root / "cifar-100-python"
        folder.mkdir()
        coarse = {}
        for protocol in (2, 3, 4):
            for name in ("train", "test"):
                coarse[name] = random.integers(0, 20, 9).tolist()
                batch = {"fine_labels": random.integers(0, 100, 9).tolist(), "coarse_labels": coarse[name],
                         "batch_label": name, "filenames": ["x"] * 9,
                         "data": np.asfortranarray(random.integers(0, 256, (9, 3072), dtype=np.uint8))}
                with open(folder / name, "wb") as file:
                    pickle.dump(batch, file, protocol)
            coarse_names = [f"group {k}" for k in range(20)]
            with open(folder / "meta", "wb") as file:
                pickle.dump({"fine_label_names": [f"é {k}" for k in range(100)], "coarse_label_names": coarse_names},
                            file, protocol)
            for part in ("train", "test"):
                self.compare("cifar100", part, without_sums(datasets.CIFAR100, self.root, part == "train"))
                _, targets, names, _ = run("cifar100-coarse", self.root, part)
                self.assertEqual(targets.tolist(), coarse[part])
                self.assertEqual(names, coarse_names)

    def test_pickles_that_call_are_refused(self):
        class Call:
            def __reduce__(self):
                return (pathlib.Path.touch, (self.path,))

        for protocol in (2, 3, 4):
            self.write_cifar10(protocol)
            call = Call()
            call.path = self.root / "touched"
            with open(self.root / "cifar-10-batches-py/test_batch", "wb") as file:
                pickle.dump({"data": call, "labels": [0]}, file, protocol)
            self.assertIn("a class or function that Python", run("cifar10", self.root, "test", ok=False).stderr)
            self.assertFalse(call.path.exists())

    @unittest.skipIf(scipy is None, "needs scipy")
    def test_svhn(self):
        for packed in (True, False):
            for part, count in (("train", 6), ("test", 1), ("extra", 11)):
                x = random.integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
                y = random.integers(1, 11, (count, 1)).astype(np.uint8 if packed else np.float64)
                y[0] = 10
                scipy.io.savemat(self.root / f"{part}_32x32.mat", {"X": x, "y": y}, do_compression=packed)
                theirs = without_sums(datasets.SVHN, self.root, part)
                if count == 1:  # squeezed too far by torchvision
                    theirs.labels = theirs.labels.reshape(1)
                self.compare("svhn", part, theirs, [str(k) for k in range(10)])

    def test_stl10(self):
        folder = self.root / "stl10_binary"
        folder.mkdir()
        for name, count in (("train", 12), ("test", 3), ("unlabeled", 4)):
            random.integers(0, 256, count * 27648, dtype=np.uint8).tofile(folder / f"{name}_X.bin")
            if name != "unlabeled":
                random.integers(1, 11, count, dtype=np.uint8).tofile(folder / f"{name}_y.bin")
        (folder / "class_names.txt").write_text("".join(f"class {k}\n" for k in range(10)))
        folds = [" ".join(map(str, random.permutation(12)[:5])) + " " for _ in range(10)]
        (folder / "fold_indices.txt").write_text("\n".join(folds) + "\n")
        for part in ("train", "test", "unlabeled", "train+unlabeled"):
            self.compare("stl10", part, without_sums(datasets.STL10, self.root, part))
        for fold in (0, 4, 9):
            for part in ("train", "train+unlabeled"):
                self.compare("stl10", f"{part}:{fold}", without_sums(datasets.STL10, self.root, part, fold))

    def test_usps(self):
        for name, count in (("usps.bz2", 40), ("usps.t.bz2", 5)):
            values = np.concatenate([random.uniform(-1, 1, (count, 128)).round(6),
                                     random.integers(0, 256, (count, 128)) / 255 * 2 - 1], 1)
            lines = [f"{random.integers(1, 11)} " + " ".join(f"{k + 1}:{v:.7g}" for k, v in enumerate(row)) + " \n"
                     for row in values]
            middle = len(lines) // 2
            packed = bz2.compress("".join(lines[:middle]).encode()) + bz2.compress("".join(lines[middle:]).encode())
            (self.root / name).write_bytes(packed)
        for part in ("train", "test"):
            self.compare("usps", part, datasets.USPS(self.root, part == "train"), [str(k) for k in range(10)])

    def test_semeion(self):
        lines = []
        for _ in range(30):
            pixels = random.integers(0, 2, 256)
            label = random.integers(0, 10)
            lines.append(" ".join(f"{v:.4f}" for v in pixels) + " " +
                         " ".join(str(int(k == label)) for k in range(10)) + " \n")
        (self.root / "semeion.data").write_text("".join(lines))
        self.compare("semeion", "train", without_sums(datasets.SEMEION, self.root, download=False),
                     [str(k) for k in range(10)])

    def test_fer2013(self):
        folder = self.root / "fer2013"
        folder.mkdir()

        def faces():
            for _ in range(9):
                yield str(random.integers(0, 7)), " ".join(map(str, random.integers(0, 256, 2304)))

        def write(name, header, row, **options):
            with open(folder / name, "w", newline="") as file:
                writer = csv.writer(file, **options)
                file.write(header + "\n")
                for k, (label, pixels) in enumerate(faces()):
                    writer.writerow(row(label, ("Training", "PublicTest", "PrivateTest")[k % 3], pixels))

        def check(*parts):
            for part in parts:
                self.compare("fer2013", part, without_sums(datasets.FER2013, self.root, part), [])

        write("train.csv", "emotion,pixels", lambda label, use, pixels: [label, pixels], quoting=csv.QUOTE_ALL)
        write("test.csv", "pixels", lambda label, use, pixels: [pixels])
        check("train", "test")
        write("icml_face_data.csv", "emotion, Usage, pixels", lambda label, use, pixels: [label, use, pixels])
        check("train", "test")
        write("fer2013.csv", "emotion,pixels,Usage", lambda label, use, pixels: [label, pixels, use])
        check("train", "test")

    def test_fake_data(self):
        for part, offset in (("train", 0), ("test", 1000)):
            self.compare("fake-data", part, datasets.FakeData(20, (3, 40, 30), 7, random_offset=offset),
                         [str(k) for k in range(7)])

    def test_missing_sets_say_how_to_get_them(self):
        for name, cls in (("cifar10", "CIFAR10"), ("cifar100", "CIFAR100"), ("svhn", "SVHN"), ("stl10", "STL10"),
                          ("usps", "USPS"), ("semeion", "SEMEION")):
            said = run(name, self.root, "train", ok=False).stderr
            self.assertIn(f"torchvision.datasets.{cls}(root", said)
            self.assertTrue(hasattr(torchvision.datasets, cls))


def measure():
    """Seconds to read CIFAR-10's training set, of its true size."""
    case = ArraySets()
    case.setUp()
    for protocol in (2, 4):
        case.write_cifar10(protocol, 10000)
        print("50,000 images of CIFAR-10, protocol", protocol, ":",
              sorted(run("cifar10", case.root, "train")[3] for _ in range(3)), "s")
    case.doCleanups()


if __name__ == "__main__":
    DUMP = sys.argv[1]
    if "--time" in sys.argv:
        measure()
    else:
        unittest.main(argv=sys.argv[:1] + sys.argv[2:])
