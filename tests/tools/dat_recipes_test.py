"""The recipes of training in a laboratory, and the accuracies that published weights must reach."""

import json
import shutil
import unittest
import xml.etree.ElementTree
from pathlib import Path

from program import ProgramTest, main, run, snapshot
from reproduced import KEYS, Checker

SHARED = Path(__file__).resolve().parents[3] / "shared"
GOLDENS, FULL_DATA = SHARED / "goldens/dat_mpnn", SHARED / "datasets"


class DatTest(ProgramTest):
    """The recipe of training in a laboratory, smoke runs."""

    MAKES_FINISHED = ("reproduce", "dat", "--quick", "--methods", "direct,unitary,pat", "--correction", "linear")
    LONGEST_ERROR = 1

    def command(self, out, *arguments):
        return ("reproduce", "dat", "--quick", "--data-root", self.data, "--out", out, *arguments)

    def rows(self, out):
        return json.loads((out / "dat.json").read_text())["rows"]

    def test_rows_and_page(self):
        rows = self.rows(self.finished)
        self.assertEqual([row["system"] for row in rows],
                         ["direct", "in silico, error-free", "DAT, unitary, linear", "PAT, layer-wise"])
        text = (self.finished / "index.html").read_text()
        page = Checker(text)
        self.assertEqual(page.outside, [])
        for row in rows:
            self.assertEqual(sorted(row), KEYS)
            self.assertTrue(row["agrees"])
            self.assertIn(row["system"], text)
            self.assertIn(f"{100 * row['measured']:.2f}".rstrip("0").rstrip("."), text)
        self.assertIn("--correction linear", text)
        for words in ("similarity loss", "DAT, unitary, linear: before", "DAT, unitary, linear: after"):
            self.assertIn(words, text)
        if not shutil.which("gnuplot"):
            self.skipTest("gnuplot is not installed")
        names = [Path(picture).stem[3:] for picture in page.pictures]
        for name in ("similarity-loss", "dat-unitary-linear-before", "dat-unitary-linear-after",
                     "pat-layer-wise-alignment"):
            self.assertIn(name, names)
        for picture in page.pictures:
            root = xml.etree.ElementTree.parse(self.finished / picture).getroot()
            self.assertTrue(root.tag.endswith("svg"))

    def test_the_runs_are_what_was_asked_for(self):
        for name, rule, correction in (("dat-unitary-linear", "dat-unitary", "linear"),
                                       ("pat-layer-wise", "pat", "none")):
            config = json.loads((self.finished / name / "config.json").read_text())
            self.assertEqual((config["rule"], config["correction"], config["splitter"], config["phase"]),
                             (rule, correction, 0.06, 0.06))
            self.assertEqual(Path(config["start"]).name, "in-silico-error-free")
            (line,) = (self.finished / name / "metrics.jsonl").read_text().splitlines()
            self.assertEqual(len(json.loads(line)["alignment"]), 1)
            self.assertEqual("measures" in json.loads(line), rule != "pat")

    def test_again_keeps_what_is_finished(self):
        before = self.rows(self.finished)
        kept = snapshot(self.finished / "dat-unitary-linear")
        result = run(*self.command(self.finished, "--methods", "direct,unitary,pat", "--correction", "linear"))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.rows(self.finished), before)
        self.assertEqual(snapshot(self.finished / "dat-unitary-linear"), kept)

    def test_other_ways(self):
        out = self.folder / "out"
        result = run(*self.command(out, "--methods", "at,identify,oracle", "--correction", "white-box",
                                   "--start", "haar", "--splitter", 0.1, "--phase", 0))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual([row["system"] for row in self.rows(out)],
                         ["in silico, error-free", "AT", "identified once, white-box", "oracle, errors known"])
        Checker((out / "index.html").read_text())

    def test_wrong_words_are_said_before_anything_is_trained(self):
        for option, value, say in (("--methods", "unitary,foo", "foo"), ("--methods", "unitry", "unitary"),
                                   ("--methods", ",", "--methods"), ("--correction", "linear,foo", "foo"),
                                   ("--splitter", "abc", "--splitter"), ("--splitter", "nan", "splitter_error"),
                                   ("--phase", "-1", "phase_error"), ("--phase", "0.1x", "--phase"),
                                   ("--phase-bits", 2.5, "--phase-bits"), ("--dataset", "mnits", "--dataset"),
                                   ("--errors", self.folder / "absent", "absent"),
                                   ("--start", self.folder / "absent", "--start")):
            out = self.folder / "out"
            self.rejected(*self.command(out, option, value), say=[say])
            self.assertEqual([p.name for p in out.iterdir()], ["log.txt"])

    def test_options_of_another_recipe(self):
        out = self.folder / "out"
        for recipe, option, value in (("xor", "--methods", "pat"), ("dat-drift", "--splitter", 0.1),
                                      ("dat", "--goldens", "x")):
            self.rejected("reproduce", recipe, "--quick", "--out", out, option, value, say=[option, recipe])
            self.assertFalse(out.exists())

    def test_drift(self):
        out = self.folder / "out"
        result = run("reproduce", "dat-drift", "--quick", "--data-root", self.data, "--out", out)
        self.assertEqual(result.returncode, 0, result.stderr)
        page = Checker((out / "index.html").read_text())
        if shutil.which("gnuplot"):
            self.assertEqual(len(page.pictures), 1)
        rows = json.loads((out / "dat-drift.json").read_text())["rows"]
        self.assertEqual([row["system"].split(",")[0] for row in rows],
                         ["nothing", "PAT every hour", "DAT every hour"])
        self.assertIn(" 0 samples", rows[0]["system"])
        self.assertNotIn(" 0 samples", rows[1]["system"])


class GoldensTest(ProgramTest):
    LONGEST_ERROR = 1

    def goldens(self, cases, *arguments, data=None):
        self.out, file = self.folder / "out", self.folder / "cases.json"
        shutil.rmtree(self.out, ignore_errors=True)
        file.write_text(cases if isinstance(cases, str) else json.dumps(cases))
        return ("reproduce", "dat-goldens", "--data-root", data or self.data, "--out", self.out, "--cases", file,
                *arguments)

    def test_damaged_cases(self):
        case = {"weights": "mnist_ideal", "accuracy": 0.5}
        for cases in ("nonsense", "", [], {}, 3, [3], [{}], [case | {"accuracy": 2}], [case | {"accuracy": -0.1}],
                      [case | {"accuracy": "much"}], [case | {"errors": "bs0.1"}], [case | {"weights": 3}],
                      [{"weights": "mnist_ideal"}]):
            self.rejected(*self.goldens(cases, "--goldens", self.folder), say=["--cases", "cases.json"])
        missing = self.goldens([case], "--goldens", self.folder)
        (self.folder / "cases.json").unlink()
        self.rejected(*missing, say=["--cases", "no such file"])
        self.rejected("reproduce", "dat-goldens", "--out", self.out, say=["--goldens"])
        self.rejected(*self.goldens([case], "--goldens", self.folder), say=["mnist_ideal"])
        self.rejected(*self.goldens([case | {"dataset": "foo"}], "--goldens", self.folder), say=["foo"])

    @unittest.skipUnless(GOLDENS.exists() and (FULL_DATA / "MNIST/raw").exists(),
                         f"the published weights and the full MNIST are not in {SHARED}")
    def test_published_accuracies(self):
        right = [{"weights": "mnist_ideal", "accuracy": 0.9677},
                 {"weights": "mnist_ideal", "errors": ["bs0.06", "ps0.06"], "accuracy": 0.6656}]
        wrong = [right[1] | {"accuracy": 0.6657}]
        for cases, code in ((right, 0), (wrong, 1)):
            result = run(*self.goldens(cases, "--goldens", GOLDENS, data=FULL_DATA))
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertEqual(result.stdout.count("differs"), code)
            rows = json.loads((self.out / "dat-goldens.json").read_text())["rows"]
            self.assertTrue(all(row["agrees"] for row in rows[:-1]))
            self.assertEqual(rows[-1]["agrees"], code == 0)
            self.assertAlmostEqual(rows[-1]["measured"], 0.6656, places=9)
            Checker((self.out / "index.html").read_text())
        self.rejected(*self.goldens([{"weights": "nobody", "accuracy": 0.5}], "--goldens", GOLDENS), say=["nobody"])
        self.rejected(*self.goldens([right[0] | {"errors": ["nothing"]}], "--goldens", GOLDENS), say=["nothing"])


if __name__ == "__main__":
    main()
