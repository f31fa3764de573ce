"""The recipes of discrete read-outs, as smoke runs; training by annealing."""

import json
import shutil
import tempfile
import unittest
from pathlib import Path

from program import DATA, main, run
from reproduced import KEYS, Checker


class TernaryRecipesTest(unittest.TestCase):
    def setUp(self):
        self.out = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.out)

    def quick(self, recipe, *arguments, folder="run"):
        out = self.out / folder
        result = run("reproduce", recipe, "--quick", "--data-root", DATA, "--out", out, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(Checker((out / "index.html").read_text()).outside, [])
        rows = json.loads((out / f"{recipe}.json").read_text())["rows"]
        for row in rows:
            self.assertTrue(set(KEYS) <= set(row), row)
        return {row["system"]: row for row in rows}

    def test_mnist(self):
        rows = self.quick("ternary-mnist")
        self.assertEqual(set(rows), {"Boolean", "ternary", "ridge"})
        self.assertGreater(rows["ternary"]["measured"], 0.4)  # chance: .1
        # Ten steps of trials by nmse, each with a measurement before and after; ten by the loss, with one before.
        self.assertEqual(rows["ternary"]["measurements"], 200 + 20 + 200 + 10)
        # Other threads, the same search.
        again = self.quick("ternary-mnist", "--threads", 1, folder="again")
        self.assertEqual(again["ternary"]["measured"], rows["ternary"]["measured"])

    def test_headers(self):
        rows = self.quick("ternary-header")
        for bits in (3, 4):
            self.assertLess(rows[f"ternary, {bits} bits"]["measured"], 0.3)
            self.assertLess(rows[f"ridge, {bits} bits"]["measured"], 0.1)

    def test_study(self):
        rows = self.quick("ternary-study", "--part", "schedules")
        self.assertEqual(len(rows), 2 * 2 * 4)
        self.assertGreater(rows["headers, 0 % noise, single flip"]["measured"], 0.5)
        refused = run("reproduce", "ternary-study", "--quick", "--data-root", DATA, "--part", "all", "--out",
                      self.out / "refused")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("--part", refused.stderr)

    def test_consistency(self):
        rows = self.quick("ternary-consistency")
        self.assertAlmostEqual(rows["input states"]["measured"], 0.99, delta=0.002)
        self.assertGreater(rows["trained output"]["measured"], 0.98)

    def test_annealing_is_a_rule_of_the_program(self):
        arguments = ["train", "--network", "ternary-mnist", "--rule", "annealing", "--data-root", DATA, "--epochs", 2,
                     "--set", "trials=50", "--out", self.out / "run"]
        result = run(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        epochs = [json.loads(line) for line in (self.out / "run/metrics.jsonl").read_text().splitlines()]
        measures = [epoch["measures"] for epoch in epochs]
        self.assertEqual([each["measurements"] for each in measures], [52, 52])
        self.assertLess(measures[1]["cost"], measures[0]["cost"])
        exported = run("export", self.out / "run", "--out", self.out / "model.pt")
        self.assertEqual(exported.returncode, 0, exported.stderr)
        refused = run("train", "--network", "mnist-hybrid", "--rule", "annealing", "--data-root", DATA, "--out",
                      self.out / "refused")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("discrete read-out", refused.stderr)


if __name__ == "__main__":
    main()
