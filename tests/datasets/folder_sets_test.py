"""Sets of picture files against torchvision's classes, on small folders made here. Usage: DUMP_FILE_SET"""

import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import unittest
import zlib
from pathlib import Path
from unittest import mock

try:
    import numpy
    import torch
    from PIL import Image

    # What a torchvision whose own library cannot be loaded misses at import.
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torchvision import datasets
except (ImportError, RuntimeError) as error:
    print(f"skipped: {error}")
    sys.exit(77)

try:
    import scipy.io
except ImportError:
    scipy = None

program = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
SEED = random.Random(1)


def picture(path, grey=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    size = (SEED.randrange(1, 20), SEED.randrange(1, 20))
    image = Image.frombytes("L" if grey else "RGB", size, SEED.randbytes(size[0] * size[1] * (1 if grey else 3)))
    image.save(path, format={".jpg": "JPEG", ".jpeg": "JPEG"}.get(path.suffix.lower()))


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def dump(name, root, **arguments):
    program.stdin.write(json.dumps([name, str(root), arguments]) + "\n")
    program.stdin.flush()
    return json.loads(program.stdout.readline())


class FolderSets(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.root = Path(self.temporary.name)

    def compare(self, name, wanted, paths, classes=None, decode=True, root=None, **arguments):
        """`wanted` is torchvision's set, `paths` its files in order."""
        ours = dump(name, root or self.root, decode=decode, **arguments)
        self.assertNotIn("error", ours, ours.get("error"))
        self.assertEqual(ours["paths"], [str(path) for path in paths])
        self.assertGreater(len(ours["paths"]), 1)
        self.assertEqual(ours["classes"], list(wanted.classes if classes is None else classes))
        self.assertEqual(len(ours["targets"]), len(wanted))
        for i in range(len(wanted)):
            if decode:
                image, target = wanted[i]
                values = numpy.asarray(image)
                values = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
                self.assertEqual(ours["sizes"][i], list(values.shape))
                self.assertEqual(ours["crc32"][i], zlib.crc32(numpy.ascontiguousarray(values).tobytes()))
                self.assertEqual(ours["targets"][i], target)
        return ours

    def says(self, text, name, **arguments):
        self.assertIn(text, dump(name, self.root, **arguments).get("error", "no error"))

    def class_folders(self, folder, names, suffix, count=3):
        for name in names:
            for i in range(count):
                picture(folder / name / f"{name}_{i}{suffix}")

    def compare_missing(self, name, **arguments):
        self.says(f"torchvision.datasets.{name}(root", name, **arguments)

    def test_image_folder(self):
        for file in ("b/2.png", "b/10.png", "b/A.JPG", "b/x y/1.png", "b/x/1.png", "b/x.y/0.jpeg", "b/x/deep/9.bmp",
                     "a/ä.png", "a/z.ppm", "a/é/1.png", "C/1.png", "C/note.jpg.txt", ".hidden/1.png",
                     "elsewhere_/1.png"):
            picture(self.root / "set" / file) if not file.endswith("txt") else write(self.root / "set" / file, "")
        picture(self.root / "beside" / "q.png")
        picture(self.root / "beside" / "more" / "r.png")
        (self.root / "set" / "linked").symlink_to(self.root / "beside")
        (self.root / "set" / "b" / "link").symlink_to(self.root / "beside")
        (self.root / "set" / "b" / "file.png").symlink_to(self.root / "beside" / "q.png")
        write(self.root / "set" / "file", "")
        root = self.root / "set"
        wanted = datasets.ImageFolder(str(root))
        ours = self.compare("ImageFolder", wanted, [path for path, _ in wanted.samples], root=root)
        self.assertEqual(len(ours["paths"]), 18)
        for extensions in ([".png"], ["png", ".jpg"], [".JPG", ".bmp", "1.png"]):
            wanted = datasets.DatasetFolder(str(root), datasets.folder.default_loader, tuple(extensions),
                                            allow_empty=True)
            self.compare("DatasetFolder", wanted, [path for path, _ in wanted.samples], root=root,
                         extensions=extensions, allow_empty=True)
        # With a slash behind it, and a link that leads nowhere.
        (root / "C" / "gone.png").symlink_to(root / "nowhere")
        wanted = datasets.ImageFolder(f"{root}/")
        self.compare("ImageFolder", wanted, [path for path, _ in wanted.samples], root=f"{root}/", decode=False)

    def test_image_folder_errors(self):
        self.says("a folder for each class", "ImageFolder")
        (self.root / "b").mkdir()
        (self.root / "c").mkdir()
        picture(self.root / "a" / "1.png")
        self.says("none for b, c", "ImageFolder")
        self.assertEqual(dump("ImageFolder", self.root, allow_empty=True)["classes"], ["a", "b", "c"])
        (self.root / "a" / "loop").symlink_to(self.root)
        self.says("do not lead back", "ImageFolder", allow_empty=True)
        self.assertIn("can be read", dump("ImageFolder", self.root / "none")["error"])
        self.says("one of the two", "DatasetFolder")

    def test_imagenet(self):
        self.says("Unpack it with torchvision.datasets.ImageNet", "ImageNet")
        names = {"n01440764": ("tench", "Tinca tinca"), "n02979186": ("cassette player",)}
        for split in ("train", "val"):
            self.class_folders(self.root / split, names, ".JPEG")
            torch.save((names, []), self.root / "meta.bin")
            wanted = datasets.ImageNet(str(self.root), split)
            paths = [path for path, _ in wanted.samples]
            self.compare("ImageNet", wanted, paths, sorted(names), split=split)
        lines = [f"{wnid} {', '.join(synonyms)}\n" for wnid, synonyms in reversed(names.items())]
        write(self.root / "LOC_synset_mapping.txt", "".join(lines))
        self.compare("ImageNet", wanted, paths, [", ".join(c) for c in wanted.classes], split=split)
        write(self.root / "LOC_synset_mapping.txt", "n01440764 tench\n")
        self.says("none for 'n02979186'", "ImageNet")
        self.says("one of train, val", "ImageNet", split="test")

    def test_imagenette(self):
        self.compare_missing("Imagenette", size="160px")
        for size, folder in (("full", "imagenette2"), ("320px", "imagenette2-320"), ("160px", "imagenette2-160")):
            for split in ("train", "val"):
                wnids = list(datasets.Imagenette._WNID_TO_CLASS)[::-1]
                self.class_folders(self.root / folder / split, wnids, ".jpeg", 2)
                write(self.root / folder / split / "n01440764" / "x.png", "")
                wanted = datasets.Imagenette(self.root, split, size)
                self.compare("Imagenette", wanted, [path for path, _ in wanted._samples],
                             [", ".join(synonyms) for synonyms in wanted.classes],
                             split=split, size=size)
        self.says("Did you mean '160px'", "Imagenette", size="160p")
        (self.root / "imagenette2" / "train" / "n1").mkdir()
        self.says("ten classes", "Imagenette")

    def test_eurosat(self):
        self.compare_missing("EuroSAT")
        self.class_folders(self.root / "eurosat" / "2750", ("River", "Forest", "AnnualCrop"), ".jpg")
        wanted = datasets.EuroSAT(str(self.root))
        self.compare("EuroSAT", wanted, [path for path, _ in wanted.samples])

    def test_country211(self):
        self.compare_missing("Country211", split="valid")
        for split in ("train", "valid", "test"):
            self.class_folders(self.root / "country211" / split, ("ZW", "AD", "DE"), ".jpg")
            wanted = datasets.Country211(str(self.root), split)
            self.compare("Country211", wanted, [path for path, _ in wanted.samples], split=split)
        self.says("one of train, valid, test", "Country211", split="val")

    def test_rendered_sst2(self):
        self.compare_missing("RenderedSST2", split="val")
        for split, folder in (("train", "train"), ("val", "valid"), ("test", "test")):
            self.class_folders(self.root / "rendered-sst2" / folder, ("positive", "negative"), ".png")
            wanted = datasets.RenderedSST2(self.root, split)
            self.compare("RenderedSST2", wanted, [path for path, _ in wanted._samples], split=split)

    def test_food101(self):
        self.compare_missing("Food101")
        base = self.root / "food-101"
        for split in ("train", "test"):
            lists = {name: [f"{name}/{split}{i}" for i in (7, 3, 5)] for name in ("waffles", "apple_pie", "Tiramisu")}
            write(base / "meta" / f"{split}.json", json.dumps(lists))
            for file in sum(lists.values(), []):
                picture(base / "images" / f"{file}.jpg")
        for split in ("train", "test"):
            wanted = datasets.Food101(self.root, split)
            self.compare("Food101", wanted, wanted._image_files, split=split)
        for text, said in (("[1, 2]", "something else"), ("{", "something else"), ('{"a": 1}', "a list of names"),
                           ('{"a": [1]}', "names of files"), ('{"a": ["../x"]}', "names of files below"),
                           ('{"a": ["/x"]}', "names of files below"), ("{}", "at least one image")):
            write(base / "meta" / "train.json", text)
            self.says(said, "Food101")

    def test_dtd(self):
        self.compare_missing("DTD")
        base = self.root / "dtd" / "dtd"
        for split in ("train", "val", "test"):
            for partition in (1, 10):
                files = [f"{name}/{name}_{split}{partition}{i}.jpg" for i in range(3)
                         for name in (("zigzagged", "banded") if split == "val" else ("woven", "dotted", "banded"))]
                write(base / "labels" / f"{split}{partition}.txt", "\r\n".join(files) + "\r\n")
                for file in files:
                    picture(base / "images" / file)
                wanted = datasets.DTD(self.root, split, partition)
                self.compare("DTD", wanted, wanted._image_files, split=split, partition=partition)
        self.says("1 to 10", "DTD", partition=11)
        self.says("nothing of that name", "DTD", partition=2)
        write(base / "labels" / "train1.txt", "a/b.jpg\nc\n")
        self.says("line 2", "DTD")
        write(base / "labels" / "train1.txt", "../b.jpg\n")
        self.says("names of files below", "DTD")

    def test_fgvc_aircraft(self):
        self.compare_missing("FGVCAircraft")
        data = self.root / "fgvc-aircraft-2013b" / "data"
        for level, plural, names in (("variant", "variants", ["707-320", "Boeing 717", "A300B4"]),
                                     ("family", "families", ["Boeing 707", "Boeing 717", "A300"]),
                                     ("manufacturer", "manufacturers", ["Boeing", "Airbus"])):
            write(data / f"{plural}.txt", "\n".join(names) + "\n")
            for split in ("train", "val", "trainval", "test"):
                lines = [f"{100 + i} {name}" for i in range(3) for name in names[::-1]]
                write(data / f"images_{level}_{split}.txt", "\n".join(lines))
                for i in range(3):
                    picture(data / "images" / f"{100 + i}.jpg")
                wanted = datasets.FGVCAircraft(self.root, split, level)
                self.compare("FGVCAircraft", wanted, wanted._image_files, split=split, annotation_level=level)
        write(data / "images_variant_train.txt", "100 707-320\n100 Zeppelin\n")
        self.says("line 2", "FGVCAircraft", split="train")
        self.says("Did you mean 'family'", "FGVCAircraft", annotation_level="famly")

    def test_oxford_iiit_pet(self):
        self.compare_missing("OxfordIIITPet")
        base = self.root / "oxford-iiit-pet"
        breeds = [("great_pyrenees", 2), ("Abyssinian", 1), ("saint_bernard", 2)]
        for split in ("trainval", "test"):
            lines = [f"{name}_{split}{i} {label} {kind} {i}" for i in range(3)
                     for label, (name, kind) in reversed(list(enumerate(breeds, 1)))]
            write(base / "annotations" / f"{split}.txt", "\n".join(lines) + "\n")
            for line in lines:
                picture(base / "images" / f"{line.split()[0]}.jpg")
            for kind in ("category", "binary-category"):
                wanted = datasets.OxfordIIITPet(self.root, split, kind)
                self.compare("OxfordIIITPet", wanted, wanted._images,
                             wanted.classes if kind == "category" else wanted.bin_classes, split=split,
                             target_types=kind)
        for text, said in (("a_1 1 1\n", "three numbers"), ("a_1 x 1 1\n", "a whole number"), ("a_1 0 1 1\n", "line 1"),
                           ("a_1 1 3 1\n", "line 1"), ("a_1 1 1 1\nb_1 1 1 1\n", "line 2"), ("a_1 2 1 1\n", "gap"),
                           ("../a_1 1 1 1\n", "names of files below")):
            write(base / "annotations" / "test.txt", text)
            self.says(said, "OxfordIIITPet", split="test")

    def test_caltech101(self):
        self.compare_missing("Caltech101")
        base = self.root / "caltech101" / "101_ObjectCategories"
        for name in ("yin_yang", "Faces", "accordion", "BACKGROUND_Google"):
            for i in range(1, 12 if name == "Faces" else 4):
                picture(base / name / f"image_{i:04d}.jpg")
        with mock.patch.dict(sys.modules, {} if scipy else {"scipy": mock.Mock(), "scipy.io": mock.Mock()}):
            wanted = datasets.Caltech101(self.root)
            self.compare("Caltech101", wanted, [base / wanted.categories[y] / f"image_{i:04d}.jpg"
                                                for y, i in zip(wanted.y, wanted.index)], wanted.categories)

    def test_omniglot(self):
        self.compare_missing("Omniglot", background=False)
        listed = os.listdir
        for background, folder in ((True, "images_background"), (False, "images_evaluation")):
            base = self.root / "omniglot-py" / folder
            for alphabet in ("Greek", "Braille", "N'Ko"):
                for character in ("character02", "character01"):
                    for i in (2, 1):
                        picture(base / alphabet / character / f"{i}.png", grey=True)
            with mock.patch.object(datasets.Omniglot, "_check_integrity", return_value=True), \
                    mock.patch("os.listdir", lambda path: sorted(listed(path))):
                wanted = datasets.Omniglot(self.root, background)
            paths = [base / wanted._characters[c] / name for name, c in wanted._flat_character_images]
            self.compare("Omniglot", wanted, paths, wanted._characters, background=background)

    def test_gtsrb(self):
        self.compare_missing("GTSRB", split="test")
        base = self.root / "gtsrb"
        self.class_folders(base / "GTSRB" / "Training", ("00002", "00000", "00001"), ".ppm")
        write(base / "GTSRB" / "Training" / "00000" / "GT-00000.csv", "")
        wanted = datasets.GTSRB(self.root, "train")
        self.compare("GTSRB", wanted, [path for path, _ in wanted._samples], ["00000", "00001", "00002"], split="train")
        rows = [("Filename", "Width", "Height", "Roi.X1", "Roi.Y1", "Roi.X2", "Roi.Y2", "ClassId")]
        for i, sign in enumerate((16, 1, 42, 0)):
            picture(base / "GTSRB" / "Final_Test" / "Images" / f"{i:05d}.ppm")
            rows.append((f"{i:05d}.ppm", 53, 54, 6, 5, 48, 49, sign))
        with open(base / "GT-final_test.csv", "w") as file:
            csv.writer(file, delimiter=";").writerows(rows)
        wanted = datasets.GTSRB(self.root, "test")
        self.compare("GTSRB", wanted, [path for path, _ in wanted._samples], [f"{i:05d}" for i in range(43)],
                     split="test")
        for text, said in (("a;b\n", "line 1"), ("Filename;ClassId\nx.ppm;43\n", "0 to 42"), ("", "line 1"),
                           ("Filename;ClassId\nx.ppm\n", "2 values"), ("Filename;ClassId\n../x.ppm;1\n", "below"),
                           ("Filename;ClassId\n", "at least one image")):
            write(base / "GT-final_test.csv", text)
            self.says(said, "GTSRB", split="test")

    def test_flowers102(self):
        self.compare_missing("Flowers102")
        if not scipy:
            self.skipTest("no scipy")
        base = self.root / "flowers-102"
        for i in range(1, 13):
            picture(base / "jpg" / f"image_{i:05d}.jpg")
        labels = numpy.array([[77, 1, 102, 5, 5, 8, 77, 1, 3, 4, 5, 6]], "uint8")
        ids = {"trnid": [[12, 3, 1]], "valid": [[2, 4]], "tstid": [[5, 11, 10, 9, 8, 7, 6]]}
        for compressed in (False, True):
            scipy.io.savemat(base / "imagelabels.mat", {"labels": labels}, do_compression=compressed)
            scipy.io.savemat(base / "setid.mat", {k: numpy.array(v, "uint16") for k, v in ids.items()},
                             do_compression=compressed)
            for split in ("train", "val", "test"):
                with mock.patch.object(datasets.Flowers102, "_check_integrity", return_value=True):
                    wanted = datasets.Flowers102(self.root, split)
                self.compare("Flowers102", wanted, wanted._image_files, split=split)
        scipy.io.savemat(base / "imagelabels.mat", {"labels": labels[:, :11]})
        self.says("from 1 to 11", "Flowers102")
        scipy.io.savemat(base / "imagelabels.mat", {"labels": labels + 1})
        self.says("from 1 to 102", "Flowers102")


if __name__ == "__main__":
    ran = unittest.main(argv=sys.argv[:1], exit=False)
    program.stdin.close()
    sys.exit(not ran.result.wasSuccessful() or program.wait())
