"""The optotorch program as a user meets it: what it writes and what it says of wrong input."""

import json
import signal
from pathlib import Path

from program import ProgramTest, main, run, snapshot


class WhatARunHolds(ProgramTest):
    def test_files(self):
        names = sorted(p.name for p in self.finished.iterdir())
        self.assertEqual(names, ["checkpoint.safetensors", "config.json", "metrics.jsonl", "model.pt", "network.json"])
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
        self.assertEqual(run(*self.train(self.folder / "bank", "--network", "mnist-weight-bank")).returncode, 0)

    def test_every_network_trains_exports_and_is_evaluated(self):
        for model in ("mnist-weight-bank", "mnist-1024", "vit", "slices-columns-rows", "slices-patches"):
            with self.subTest(model):
                out = self.folder / model
                result = run("train", "--data-root", self.data, "--network", model, "--epochs", 1, "--samples", 64,
                             "--batch-size", 32, "--validation", 0, "--quiet", "--out", out,
                             "--rule", "dfa" if model == "vit" else "tpfp")
                self.assertEqual(result.returncode, 0, result.stderr)
                exported = run("export", out, "--out", self.folder / (model + ".pt"))
                self.assertEqual(exported.returncode, 0, exported.stderr)
                self.assertEqual(run("evaluate", out).returncode, 0)

    def test_rules_that_read_more_than_there_is(self):
        for model, kind, rules in (("mnist-weight-bank", "light", ("quadrature", "quadrature-twin")),
                                   ("slices-electronic", "fields", ("homodyne-random", "tpfp-field", "tpfp-sloped")),
                                   ("mnist-in-situ", "fields", ("homodyne-random", "tpfp-field", "tpfp-sloped"))):
            for rule in rules:
                out = self.folder / (model + rule)
                self.rejected("train", "--data-root", self.data, "--network", model, "--rule", rule, "--out", out,
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
        self.assertFalse(out.exists())
        out = self.folder / "model.pt"
        self.rejected("export", self.finished, "--out", out, preexec_fn=small_files)
        self.assertEqual(list(self.folder.iterdir()), [])


if __name__ == "__main__":
    main()
