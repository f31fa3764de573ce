"""The optotorch program as a user meets it: what it writes, what it says of wrong input, and that a killed run
resumes to the same bits.  Usage: program_test.py PROGRAM DATA_ROOT [unittest arguments]"""

import gzip
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

PROGRAM, DATA = sys.argv[1], Path(sys.argv[2])


def run(*arguments, **options):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, **options)


def idx(path, dims, data, magic=None):
    """Writes a gzipped idx file; `dims` and `magic` may lie about the data."""
    head = struct.pack(">I", 0x0800 + len(dims) if magic is None else magic)
    head += b"".join(struct.pack(">I", d) for d in dims)
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(head + data)


def tiny_mnist(folder, train=256, test=64):
    """A small data set cut from the repository's: the first images."""
    raw = Path(folder) / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", train), ("t10k", test)):
        with gzip.open(DATA / "MNIST/raw" / f"{part}-images-idx3-ubyte.gz") as file:
            images = file.read()[16 : 16 + count * 784]
        with gzip.open(DATA / "MNIST/raw" / f"{part}-labels-idx1-ubyte.gz") as file:
            labels = file.read()[8 : 8 + count]
        idx(raw / f"{part}-images-idx3-ubyte.gz", (count, 28, 28), images)
        idx(raw / f"{part}-labels-idx1-ubyte.gz", (count,), labels)
    return Path(folder)


def snapshot(folder):
    return {p.relative_to(folder): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


class ProgramTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = Path(tempfile.mkdtemp())
        cls.data = tiny_mnist(cls.shared / "data")
        cls.finished = cls.shared / "finished"
        done = run("train", "--data-root", cls.data, "--epochs", 2, "--out", cls.finished, "--quiet")
        assert done.returncode == 0, done.stderr

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.shared)

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(dir=self.shared))

    def rejected(self, *arguments, say=(), **options):
        """Exit code 2, one error that says every word of `say`, no trace of an internal failure."""
        result = run(*arguments, **options)
        self.assertEqual(result.returncode, 2, f"{arguments}: {result.stdout}{result.stderr}")
        for word in say:
            self.assertIn(word, result.stderr)
        self.assertNotIn("frame #", result.stderr)
        self.assertLess(len(result.stderr.strip().splitlines()), 4, result.stderr)
        return result

    def train(self, out, *arguments, data=None, epochs=2):
        return ("train", "--data-root", data or self.data, "--epochs", epochs, "--quiet", "--out", out, *arguments)


class WhatARunHolds(ProgramTest):
    def test_files(self):
        names = sorted(p.name for p in self.finished.iterdir())
        self.assertEqual(names, ["checkpoint.safetensors", "config.json", "metrics.jsonl", "model.pt"])
        config = json.loads((self.finished / "config.json").read_text())
        self.assertEqual(config["rule"], "tpfp")
        self.assertEqual(config["versions"]["optotorch"], run("--version").stdout.strip())
        lines = [json.loads(line) for line in (self.finished / "metrics.jsonl").read_text().splitlines()]
        self.assertEqual([line["epoch"] for line in lines], [1, 2])
        for line in lines:
            for key in ("train_loss", "train_accuracy", "validation_accuracy", "test_accuracy", "seconds"):
                self.assertIsInstance(line[key], float, key)

    def test_evaluate_agrees_with_the_log(self):
        out = self.folder / "result.json"
        self.assertEqual(run("evaluate", self.finished, "--json", out).returncode, 0)
        last = json.loads((self.finished / "metrics.jsonl").read_text().splitlines()[-1])
        self.assertEqual(json.loads(out.read_text())["accuracy"], last["test_accuracy"])

    def test_best_is_the_best_on_validation(self):
        lines = [json.loads(line) for line in (self.finished / "metrics.jsonl").read_text().splitlines()]
        best = max(lines, key=lambda line: (line["validation_accuracy"], -line["epoch"]))
        out = self.folder / "result.json"
        self.assertEqual(run("evaluate", self.finished, "--best", "--json", out).returncode, 0)
        self.assertEqual(json.loads(out.read_text())["accuracy"], best["test_accuracy"])

    def test_info_and_export(self):
        info = run("info", self.finished).stdout
        for word in ("MziMesh", "4950", "11010", "sha256"):
            self.assertIn(word, info)
        model = self.folder / "model.pt"
        self.assertEqual(run("export", self.finished, "--out", model).returncode, 0)
        self.assertIn("layer1.matrix_transposed", run("info", model).stdout)
        # The same network from the same weights: the files differ in nothing but their archive's own stamps.
        self.assertEqual(run("info", model).stdout, run("info", self.finished / "model.pt").stdout)

    def test_same_seed_same_weights_other_seed_others(self):
        sums = []
        for number, seed in enumerate((0, 1)):
            out = self.folder / str(number)
            self.assertEqual(run(*self.train(out, "--seed", seed)).returncode, 0)
            sums.append(run("info", out).stdout.split("sha256")[1])
        self.assertEqual(sums[0], run("info", self.finished).stdout.split("sha256")[1])
        self.assertNotEqual(sums[0], sums[1])

    def test_every_rule_trains(self):
        for rule in ("bp", "dfa", "shallow"):
            self.assertEqual(run(*self.train(self.folder / rule, "--rule", rule, "--alignment")).returncode, 0)
        # In the first epoch the read-out is still zero and the optics have no gradient.
        log = json.loads((self.folder / "bp/metrics.jsonl").read_text().splitlines()[1])
        self.assertTrue(all(abs(cosine - 1) < 1e-5 for cosine in log["alignment"]))
        self.assertEqual(run(*self.train(self.folder / "bank", "--model", "mnist-weight-bank")).returncode, 0)

    def test_every_network_trains_exports_and_is_evaluated(self):
        for model in ("mnist-weight-bank", "mnist-1024", "slices-electronic", "slices-columns", "slices-columns-rows",
                      "slices-direct", "slices-patches"):
            with self.subTest(model):
                out = self.folder / model
                result = run("train", "--data-root", self.data, "--model", model, "--epochs", 1, "--samples", 64,
                             "--batch-size", 32, "--validation", 0, "--quiet", "--out", out)
                self.assertEqual(result.returncode, 0, result.stderr)
                exported = run("export", out, "--out", self.folder / (model + ".pt"))
                self.assertEqual(exported.returncode, 0, exported.stderr)
                self.assertEqual(run("evaluate", out).returncode, 0)

    def test_rules_that_read_more_than_there_is(self):
        for model, kind, rules in (("mnist-weight-bank", "light", ("quadrature", "quadrature-twin")),
                                   ("slices-electronic", "fields", ("homodyne-random", "tpfp-field")),
                                   ("mnist-in-situ", "fields", ("homodyne-random", "tpfp-field"))):
            for rule in rules:
                out = self.folder / (model + rule)
                self.rejected("train", "--data-root", self.data, "--model", model, "--rule", rule, "--out", out,
                              say=["--rule", model, rule, kind])
                self.assertFalse(out.exists())

    def test_train_on_some(self):
        options = ("train", "--data-root", self.data, "--epochs", 1, "--batch-size", 32, "--validation", 0, "--quiet")
        for name, samples in (("some", 32), ("more", 100_000), ("all", 0)):
            self.assertEqual(run(*options, "--samples", samples, "--out", self.folder / name).returncode, 0)
        losses = [json.loads((self.folder / name / "metrics.jsonl").read_text())["train_loss"]
                  for name in ("some", "more", "all")]
        self.assertEqual(losses[1], losses[2])
        self.assertAlmostEqual(losses[0], 2.302585, places=4)  # one step from a read-out of zeros: log 10
        self.assertNotAlmostEqual(losses[2], 2.302585, places=4)
        self.assertEqual(run(*options, "--samples", -1, "--out", self.folder / "x").returncode, 2)
        # A run of before the option was.
        config = self.folder / "all" / "config.json"
        text = json.loads(config.read_text())
        del text["samples"]
        config.write_text(json.dumps(text))
        self.assertEqual(run(*options, "--resume", "--out", self.folder / "all").returncode, 0)


class Words(ProgramTest):
    def test_help_teaches(self):
        for arguments in ((), ("train",), ("evaluate",), ("export",), ("info",), ("reproduce",)):
            result = run(*arguments, "--help")
            self.assertEqual(result.returncode, 0)
            self.assertIn("Usage", result.stdout)
        self.assertIn("four-rules", run("reproduce", "--list").stdout)

    def test_mistyped_words_name_the_nearest(self):
        out = self.folder / "run"
        for arguments, nearest in (
            (("train", "--rule", "tpf", "--out", out), "tpfp"),
            (("train", "--model", "mnist-hybird", "--out", out), "mnist-hybrid"),
            (("train", "--dataset", "fashon-mnist", "--out", out), "fashion-mnist"),
            (("train", "--epoch", "2", "--out", out), "--epochs"),
            (("trian", "--out", out), "train"),
            (("reproduce", "four-rule", "--out", out), "four-rules"),
        ):
            self.rejected(*arguments, say=[nearest])
        self.assertFalse(out.exists())

    def test_values_out_of_range(self):
        for name, value in (("--epochs", 0), ("--batch-size", -1), ("--lr", "nan"), ("--lr", 0), ("--threads", 0),
                            ("--validation", -0.5), ("--epochs", "many"), ("--validation", 10_000),
                            ("--checkpoint-steps", -1), ("--seed", "x")):
            out = self.folder / "run"
            self.rejected("train", "--data-root", self.data, "--out", out, name, value)
            self.assertFalse((out / "metrics.jsonl").exists())


class Folders(ProgramTest):
    def test_a_run_is_never_overwritten(self):
        before = snapshot(self.finished)
        self.rejected(*self.train(self.finished), say=["--resume", str(self.finished)])
        self.assertEqual(snapshot(self.finished), before)

    def test_a_strange_folder_is_not_touched(self):
        (self.folder / "notes.txt").write_text("mine")
        self.rejected(*self.train(self.folder), say=["new or empty"])
        self.rejected(*self.train(self.folder, "--resume"), say=["config.json"])
        self.assertEqual(snapshot(self.folder), {Path("notes.txt"): b"mine"})

    def test_resume_without_a_checkpoint_begins_and_says_so(self):
        result = run(*self.train(self.folder / "new", "--resume"))
        self.assertEqual(result.returncode, 0)
        self.assertIn("began at the beginning", result.stdout)
        result = run(*self.train(self.folder / "new", "--resume"))
        self.assertEqual(result.returncode, 0)
        self.assertIn("continued", result.stdout)

    def test_resume_with_other_options(self):
        before = snapshot(self.finished)
        self.rejected(*self.train(self.finished, "--resume", "--rule", "bp"), say=["rule", "tpfp"])
        self.rejected(*self.train(self.finished, "--resume", "--lr", "0.5"), say=["learning_rate"])
        self.assertEqual(snapshot(self.finished), before)

    def test_unwritable_places(self):
        self.rejected(*self.train("/proc/run"), say=["--out"])
        self.rejected(*self.train("/dev/null"), say=["--out"])
        self.rejected("export", self.finished, "--out", self.folder / "missing" / "model.pt", say=["missing"])
        self.rejected("evaluate", self.finished, "--json", self.folder / "missing" / "x.json", say=["missing"])

    def test_full_disk(self):
        # A limit on the size of files stands for a disk without room: the write fails half-way.
        import resource

        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

        out = self.folder / "run"
        self.rejected(*self.train(out), say=["checkpoint.safetensors"], preexec_fn=small_files)
        self.assertEqual(sorted(p.name for p in out.iterdir()), ["config.json"])
        out = self.folder / "model.pt"
        self.rejected("export", self.finished, "--out", out, preexec_fn=small_files)
        self.assertEqual([p.name for p in self.folder.iterdir()], ["run"])


class DamagedFiles(ProgramTest):
    def copy(self):
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.finished, copy)
        return copy

    def test_no_data(self):
        self.rejected(*self.train(self.folder / "run", data=self.folder), say=["train-images-idx3-ubyte"])
        self.assertFalse((self.folder / "run").exists())

    def test_damaged_data(self):
        images, labels = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
        pixels = bytes(256 * 784)
        cases = {
            "truncated": lambda raw: (raw / images).write_bytes((raw / images).read_bytes()[:500]),
            "empty": lambda raw: (raw / images).write_bytes(b""),
            "oversized": lambda raw: idx(raw / images, (256, 28, 28), pixels + b"more"),
            "promises too much": lambda raw: idx(raw / images, (2**31, 2**15, 2**15), pixels),
            "labels where images belong": lambda raw: shutil.copy(raw / labels, raw / images),
            "another type": lambda raw: idx(raw / images, (256, 28, 28), pixels * 4, magic=0x0D03),
            "no idx file": lambda raw: (raw / images).write_bytes(b"hello world, this is text"),
            "fewer labels": lambda raw: idx(raw / labels, (255,), bytes(255)),
            "label 11": lambda raw: idx(raw / labels, (256,), bytes([11] * 256)),
            "no images": lambda raw: (idx(raw / images, (0, 28, 28), b""), idx(raw / labels, (0,), b"")),
        }
        for name, damage in cases.items():
            with self.subTest(name):
                data = tiny_mnist(self.folder / name)
                damage(data / "MNIST/raw")
                out = self.folder / (name + " run")
                self.rejected(*self.train(out, data=data), say=["train-"])
                self.assertFalse(out.exists())

    def test_damaged_checkpoints(self):
        data = (self.finished / "checkpoint.safetensors").read_bytes()
        length = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8 : 8 + length])

        def with_header(change):
            changed = json.loads(json.dumps(header))
            change(changed)
            text = json.dumps(changed).encode()
            return struct.pack("<Q", len(text)) + text + data[8 + length :]

        def begin_of(name):
            return 8 + length + header[name]["data_offsets"][0]

        theta = begin_of("model/1.theta")
        cases = {
            "truncated": data[:-100],
            "longer": data + b"more",
            "empty": b"",
            "seven bytes": data[:7],
            "huge header": struct.pack("<Q", 2**60) + data[8:],
            "no json": data[:8] + b"x" * length + data[8 + length :],
            "huge shape": with_header(lambda h: h["model/1.theta"].update(shape=[2**40, 2**40])),
            "other shape": with_header(lambda h: h["model/1.theta"].update(shape=[9, 550])),
            "other type": with_header(lambda h: h["model/1.theta"].update(dtype="I32")),
            "unknown type": with_header(lambda h: h["model/1.theta"].update(dtype="X9")),
            "overlap": with_header(lambda h: h["model/1.theta"].update(data_offsets=h["model/1.phi"]["data_offsets"])),
            "outside": with_header(lambda h: h["model/1.theta"].update(data_offsets=[2**50, 2**50 + 4 * 4950])),
            "missing": with_header(lambda h: h.update({"model/1.other": h.pop("model/1.theta")})),
            "no format": with_header(lambda h: h["__metadata__"].pop("format")),
            "NaN phase": data[:theta] + struct.pack("<f", float("nan")) + data[theta + 4 :],
            "a pickle": b"\x80\x04\x95" + data[3:],
        }
        for name, content in cases.items():
            with self.subTest(name):
                copy = self.copy()
                (copy / "checkpoint.safetensors").write_bytes(content)
                before = snapshot(copy)
                for arguments in (("evaluate", copy), ("info", copy), ("export", copy, "--out", self.folder / "m.pt"),
                                  self.train(copy, "--resume")):
                    self.rejected(*arguments)
                self.assertEqual(snapshot(copy), before)
                self.assertFalse((self.folder / "m.pt").exists())

    def test_damaged_optimiser_state(self):
        data = (self.finished / "checkpoint.safetensors").read_bytes()
        length = struct.unpack("<Q", data[:8])[0]
        for name, change in {
            "no tree": lambda h: h["__metadata__"].update(optimizer=""),
            "another optimiser": lambda h: h["__metadata__"].update(
                optimizer=h["__metadata__"]["optimizer"].replace("amsgrad", "nesterov")),
            "no position": lambda h: h["__metadata__"].pop("progress/trainer"),
            "another rule": lambda h: h["__metadata__"].update(rule="dfa"),
        }.items():
            with self.subTest(name):
                header = json.loads(data[8 : 8 + length])
                change(header)
                text = json.dumps(header).encode()
                copy = self.copy()
                (copy / "checkpoint.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
                self.rejected(*self.train(copy, "--resume"))

    def test_checkpoint_of_another_network(self):
        other = self.folder / "other"
        self.assertEqual(run(*self.train(other, "--model", "mnist-weight-bank")).returncode, 0)
        copy = self.copy()
        shutil.copy(other / "checkpoint.safetensors", copy / "checkpoint.safetensors")
        self.rejected("evaluate", copy, say=["another network"])
        self.rejected(*self.train(copy, "--resume"), say=["another network"])

    def test_damaged_configuration(self):
        for text in ("", "{", "[]", "{}", '{"dataset": 3}'):
            copy = self.copy()
            (copy / "config.json").write_text(text)
            self.rejected("evaluate", copy, say=["config.json"])
        copy = self.copy()
        config = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps(config | {"model": "mnist-hybridd"}))
        self.rejected("evaluate", copy, say=["mnist-hybrid"])

    def test_no_torchscript(self):
        file = self.folder / "file.pt"
        file.write_bytes(b"text")
        self.rejected("info", file, say=["TorchScript"])


class Interruptions(ProgramTest):
    ARGUMENTS = ("--rule", "tpfp", "--seed", 3, "--batch-size", 16, "--checkpoint-steps", 3)

    def start(self, out):
        return subprocess.Popen([PROGRAM, *map(str, self.train(out, "--resume", *self.ARGUMENTS, epochs=6))],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def weights(self, out):
        return run("info", out).stdout.split("sha256")[1]

    def log(self, out):
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]

    def test_kill_at_random_instants_then_resume(self):
        whole = self.folder / "whole"
        begin = time.monotonic()
        process = self.start(whole)
        process.communicate()
        duration = time.monotonic() - begin
        self.assertEqual(process.returncode, 0)
        generator = random.Random(1)
        equal = kills = 0
        for number in range(20):
            out = self.folder / str(number)
            process = self.start(out)
            try:
                process.communicate(timeout=generator.uniform(0.05, 0.95) * duration)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
            process = self.start(out)
            _, errors = process.communicate()
            self.assertEqual(process.returncode, 0, errors)
            equal += self.weights(out) == self.weights(whole) and self.log(out) == self.log(whole)
            shutil.rmtree(out)
        print(f"kill -9 at {kills} random instants of 20, then resume: {equal} of 20 bit-identical", file=sys.stderr)
        self.assertEqual(equal, 20)
        self.assertGreater(kills, 10)

    def test_interrupt_leaves_a_checkpoint(self):
        out = self.folder / "run"
        process = subprocess.Popen(
            [PROGRAM, *map(str, self.train(out, "--checkpoint-seconds", 1e9, epochs=10_000))],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not (out / "checkpoint.safetensors").exists():
            self.assertIsNone(process.poll(), "ended before its first checkpoint")
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertIn("--resume", output)
        self.assertEqual(run("evaluate", out).returncode, 0)
        self.assertFalse([p for p in out.iterdir() if ".part" in p.name])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=1)
