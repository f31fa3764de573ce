"""`optotorch reproduce`: what it leaves behind, that it goes on where it was stopped, and what it says of trouble."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree
from html.parser import HTMLParser
from pathlib import Path

from program import PROGRAM, ProgramTest, main, run, snapshot, tiny_mnist

VOID = {"meta", "img", "br", "hr", "link"}
RULES = ("bp", "tpfp", "dfa", "shallow")
KEYS = ["agrees", "measured", "published", "seeds", "selection", "spread", "system"]  # of a row
SHARED = Path(__file__).resolve().parents[3] / "shared"
GOLDENS, FULL_DATA = SHARED / "goldens/dat_mpnn", SHARED / "datasets"


class Checker(HTMLParser):
    """Every element is closed, in order; remembers pictures, cells and whatever would need a network."""

    def __init__(self, text):
        super().__init__()
        self.open, self.pictures, self.cells, self.outside = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("src", "href"):
                (self.pictures if tag == "img" else self.outside).append(value)
        if tag == "script":
            self.outside.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == "td":
            self.cells.append(data)


def tree_of(pid):
    """The living children of a process."""
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class ReproduceTest(ProgramTest):
    MAKES_FINISHED = ("reproduce", "four-rules", "--epochs", 3, "--seeds", 2)
    LONGEST_ERROR = 8  # with the end of a training's log

    def command(self, out, *arguments, epochs=3, seeds=2):
        return [str(a) for a in ("reproduce", "four-rules", "--data-root", self.data, "--epochs", epochs, "--seeds",
                                 seeds, "--out", out, *arguments)]

    def rows(self, out):
        return json.loads((out / "four-rules.json").read_text())["rows"]

    def test_json_agrees_with_the_runs(self):
        result = json.loads((self.finished / "four-rules.json").read_text())
        self.assertEqual(sorted(result), ["recipe", "rows", "seconds", "versions"])
        self.assertEqual(result["recipe"], "four-rules")
        self.assertEqual([row["system"] for row in result["rows"]], ["BP", "TPFP", "DFA", "shallow"])
        for row, name in zip(result["rows"], RULES):
            self.assertEqual(sorted(row), KEYS)
            last = []
            for folder in (name, name + "-seed1"):
                lines = (self.finished / folder / "metrics.jsonl").read_text().splitlines()
                self.assertEqual(len(lines), 3)
                last.append(json.loads(lines[-1])["test_accuracy"])
            self.assertAlmostEqual(row["measured"], sum(last) / 2, places=12)
            self.assertAlmostEqual(row["spread"], max(last) - min(last), places=12)
            self.assertEqual((row["seeds"], row["selection"], row["published"]), (2, "last epoch", None))
            config = json.loads((self.finished / (name + "-seed1") / "config.json").read_text())
            self.assertEqual((config["rule"], config["seed"], config["threads"]), (name, 1, 1))
            self.assertIn(f"{100 * row['measured']:.2f} %", self.done.stdout)

    def test_page(self):
        page = Checker((self.finished / "index.html").read_text())
        self.assertEqual(page.outside, [])
        for row in self.rows(self.finished):
            self.assertIn(row["system"], page.cells)
            self.assertIn(f"{100 * row['measured']:.2f} %", page.cells)
        if not shutil.which("gnuplot"):
            self.skipTest("gnuplot is not installed")
        # Accuracy, loss, two alignments, two confusion matrices and two phase maps.
        self.assertEqual(len(page.pictures), 8)
        for picture in page.pictures:
            root = xml.etree.ElementTree.parse(self.finished / picture).getroot()
            self.assertTrue(root.tag.endswith("svg"))
            for other in (".gp", ".dat"):
                self.assertTrue((self.finished / picture).with_suffix(other).exists())

    def test_without_gnuplot(self):
        out = self.copy()
        result = run(*self.command(out), env=os.environ | {"PATH": str(self.folder)})
        self.assertEqual(result.returncode, 0, result.stderr)
        text = (out / "index.html").read_text()
        page = Checker(text)
        self.assertEqual(page.pictures, [])
        self.assertIn("apt install gnuplot-nox", text)
        self.assertEqual(list((out / "pictures").glob("*.svg")), [])
        self.assertEqual(len(list((out / "pictures").glob("*.dat"))), 8)

    def test_again_keeps_what_is_finished(self):
        out = self.copy()
        before = {k: v for k, v in snapshot(out).items() if len(k.parts) == 2 and k.parts[0] != "pictures"}
        result = run(*self.command(out))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("8 of 8", result.stderr)
        self.assertEqual({k: v for k, v in snapshot(out).items() if k in before}, before)
        self.assertEqual(self.rows(out), self.rows(self.finished))

    def test_more_seeds_keep_the_first(self):
        out = self.copy()
        self.assertEqual(run(*self.command(out, seeds=1)).returncode, 0)
        self.assertEqual([row["seeds"] for row in self.rows(out)], [1] * 4)

    def test_the_number_of_threads_changes_nothing(self):
        out = self.folder / "out"
        result = run(*self.command(out, "--threads", 5))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.rows(out), self.rows(self.finished))

    def stopped(self, signal_number, after):
        """Starts a recipe and stops it when `after` trainings have left their first checkpoint."""
        out = self.folder / "out"
        process = subprocess.Popen([PROGRAM, *self.command(out, "--threads", 2)], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        while len(list(out.glob("*/checkpoint.safetensors"))) < after:
            self.assertIsNone(process.poll(), "ended too early")
            time.sleep(0.01)
        process.send_signal(signal_number)
        output = process.communicate(timeout=120)
        self.assertFalse((out / "index.html").exists())
        return out, process.returncode, "".join(output)

    def test_interrupt_and_continue(self):
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal_number):
                out, code, said = self.stopped(signal_number, after=3)
                self.assertEqual(code, 130)
                self.assertIn("the same command continues", said)
                result = run(*self.command(out))
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(self.rows(out), self.rows(self.finished))
                shutil.rmtree(out)

    def test_kill_and_continue(self):
        for after in (1, 4, 7):
            out, code, _ = self.stopped(signal.SIGKILL, after)
            self.assertEqual(code, -signal.SIGKILL)
            result = run(*self.command(out))
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(self.rows(out), self.rows(self.finished))
            shutil.rmtree(out)

    def test_no_training_outlives_the_recipe(self):
        for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with self.subTest(signal_number):
                out = self.folder / signal_number.name
                process = subprocess.Popen([PROGRAM, *self.command(out, "--threads", 2, epochs=1_000_000)],
                                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                while len(list(out.glob("*/checkpoint.safetensors"))) < 2:
                    self.assertIsNone(process.poll(), "ended too early")
                    time.sleep(0.01)
                children = tree_of(process.pid)
                self.assertEqual(len(children), 2)
                process.send_signal(signal_number)
                deadline = time.monotonic() + 30
                while process.poll() is None or any(map(lives, children)):
                    if time.monotonic() > deadline:
                        for pid in [process.pid, *filter(lives, children)]:
                            os.kill(pid, signal.SIGKILL)
                        process.wait()
                        self.fail("a training outlived the recipe")
                    time.sleep(0.02)
                for name in ("bp", "tpfp"):
                    self.assertEqual(run("evaluate", out / name).returncode, 0)

    def test_other_options_are_refused_and_change_nothing(self):
        out = self.copy()
        runs = {k: v for k, v in snapshot(out).items() if k.name != "log.txt"}
        for arguments in (self.command(out, epochs=4), self.command(out, "--quick")):
            self.rejected(*arguments, say=["epochs", str(out / "bp")])
        self.assertEqual({k: v for k, v in snapshot(out).items() if k.name != "log.txt"}, runs)

    def test_a_failing_training_is_one_error(self):
        out = self.copy()
        (out / "dfa" / "model.pt").unlink()
        (out / "dfa" / "checkpoint.safetensors").write_bytes(b"damaged")
        said = self.rejected(*self.command(out), say=["DFA", "exit code 2", "dfa/log.txt", "checkpoint.safetensors"])
        self.assertEqual(said.count("expected success"), 1)
        self.assertIn("DFA: the training ended with exit code 2", (out / "log.txt").read_text())
        # It can be mended.
        shutil.rmtree(out / "dfa")
        self.assertEqual(run(*self.command(out)).returncode, 0)
        self.assertEqual(self.rows(out), self.rows(self.finished))

    def test_failing_trainings_stop_the_others(self):
        raw = tiny_mnist(self.folder / "data") / "MNIST/raw"
        (raw / "t10k-labels-idx1-ubyte.gz").write_bytes(b"")
        arguments = self.command(self.folder / "out")
        arguments[arguments.index("--data-root") + 1] = str(self.folder / "data")
        said = self.rejected(*arguments, say=["t10k-labels-idx1-ubyte"])
        self.assertEqual(said.count("the training ended with"), 1)
        self.assertFalse(list((self.folder / "out").glob("*-seed1/config.json")))

    def test_places(self):
        self.rejected("reproduce", "four-rules", say=["--out"])
        self.rejected(*self.command("/proc/out"), say=["--out", "/proc/out"])
        self.rejected(*self.command("/dev/null"), say=["--out"])
        self.rejected(*self.command(self.folder / "out", "--json", self.folder / "absent" / "x.json"), say=["--json"])
        self.assertEqual(list((self.folder / "out").glob("bp")), [])
        strange = self.folder / "strange"
        strange.mkdir()
        (strange / "notes.txt").write_text("mine")
        self.rejected(*self.command(strange), say=["--out", str(strange)])
        (strange / "log.txt").write_text("reproduce another\n")
        self.rejected(*self.command(strange), say=["reproduce another"])
        self.assertEqual(snapshot(strange), {Path("notes.txt"): b"mine", Path("log.txt"): b"reproduce another\n"})

    def test_two_at_once_in_one_folder(self):
        out = self.folder / "out"
        process = subprocess.Popen([PROGRAM, *self.command(out)], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        while not list(out.glob("*/config.json")):
            time.sleep(0.01)
        self.rejected(*self.command(out), say=["another reproduce is running"])
        self.assertEqual(process.wait(), 0)
        self.assertEqual(self.rows(out), self.rows(self.finished))

    def test_quick(self):
        out, file = self.folder / "out", self.folder / "x.json"
        begin = time.monotonic()
        result = run("reproduce", "four-rules", "--data-root", self.data, "--quick", "--out", out, "--json", file)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertLess(time.monotonic() - begin, 60)
        self.assertEqual(len(json.loads(file.read_text())["rows"]), 4)
        self.assertEqual(json.loads((out / "bp/config.json").read_text())["epochs"], 1)


class SmallRecipesTest(unittest.TestCase):
    """Recipes that need no data: their figures are exact enough to be asked for."""

    def setUp(self):
        self.out = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.out)

    def reproduce(self, recipe, *arguments, pictures):
        result = run("reproduce", recipe, "--quick", "--out", self.out, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        text = (self.out / "index.html").read_text()
        page = Checker(text)
        self.assertEqual(page.outside, [])
        if shutil.which("gnuplot"):
            self.assertEqual(len(page.pictures), pictures)
        rows = json.loads((self.out / f"{recipe}.json").read_text())["rows"]
        for row in rows:
            self.assertEqual(sorted(row), KEYS)
            self.assertIsNone(row["published"])
        self.assertEqual(len({row["system"] for row in rows}), len(rows))
        return rows, page

    def test_xor(self):
        rows, page = self.reproduce("xor", "--seeds", 10, pictures=9)
        solved = {row["system"]: row["measured"] for row in rows}
        self.assertEqual({row["seeds"] for row in rows}, {10})
        for row in rows:
            self.assertIn(row["system"], page.cells)
            self.assertAlmostEqual(10 * row["measured"], round(10 * row["measured"]), places=9)
            self.assertEqual(row["spread"], 0 if row["measured"] in (0, 1) else 1)
        for encoding in ("dual-rail", "phase"):
            for system in ("TPFP, difference", "TPFP, quadrature (an extension)", "BP"):
                self.assertEqual(solved[f"{system}, {encoding}"], 1, (system, encoding))
        # What must not work as well, or the task would be no task.
        self.assertLess(solved["frozen optics, dual-rail"], 0.5)
        self.assertLess(solved["TPFP, difference, dual-rail, fixed random F"], 0.6)
        self.assertLess(solved["TPFP, difference, dual-rail, s = 1"], 0.5)
        # The truth table of the gate that is shown: a, b, two intensities, y, the gate, a XOR b.
        at = page.cells.index("TPFP, difference, dual-rail, s = 1") + 6
        gate = [page.cells[at + 7 * i : at + 7 * i + 7] for i in range(4)]
        for (a, b, plus, minus, y, says, exact), (left, right) in zip(gate, ((0, 0), (0, 1), (1, 0), (1, 1))):
            self.assertEqual((a, b, exact), (str(left), str(right), str(left ^ right)))
            self.assertEqual(says, exact)
            self.assertAlmostEqual(float(plus) - float(minus), float(y), delta=0.002)

    def test_xor_does_not_depend_on_threads(self):
        one, _ = self.reproduce("xor", "--seeds", 4, "--threads", 1, pictures=9)
        three, _ = self.reproduce("xor", "--seeds", 4, "--threads", 3, pictures=9)
        self.assertEqual(one, three)

    def test_memory(self):
        rows, _ = self.reproduce("tpfp-memory", pictures=3)
        measured = {row["system"]: row["measured"] for row in rows}
        self.assertEqual(len(rows), 4 * 2 * 3 + 4 * 3)
        activation = 512 * 256 * 4 / 2**20  # MiB of one layer's output

        def tensors(system, depth):
            return measured[f"{system}, depth {depth}, tensors, MiB"]

        # Not a byte more for 12 more layers, where the others keep at least one activation of each.
        self.assertEqual(tensors("TPFP, first pass repeated", 4), tensors("TPFP, first pass repeated", 16))
        self.assertEqual(measured["TPFP, first pass repeated, growth from 4 to 16 layers, tensors, %"], 0)
        for system, kept in (("BP by autograd", 1), ("DFA", 2), ("TPFP, first pass kept", 2)):
            grown = tensors(system, 16) - tensors(system, 4)
            self.assertAlmostEqual(grown, 12 * kept * activation, delta=activation / 2, msg=system)
        # What the system counts is a little more than what the tensors hold.
        for row in rows:
            if row["system"].endswith(", resident, MiB"):
                held = measured[row["system"].replace("resident", "tensors")]
                self.assertGreater(row["measured"], 0.9 * held, row)
                self.assertLess(row["measured"], held + 4, row)


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
        wrong = [right[0], right[1] | {"accuracy": 0.6657}]
        for cases, code in ((right, 0), (wrong, 1)):
            result = run(*self.goldens(cases, "--goldens", GOLDENS, data=FULL_DATA))
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertEqual(result.stdout.count("differs"), code)
            rows = json.loads((self.out / "dat-goldens.json").read_text())["rows"]
            self.assertEqual([row["agrees"] for row in rows], [True, code == 0])
            self.assertAlmostEqual(rows[1]["measured"], 0.6656, places=9)
            Checker((self.out / "index.html").read_text())
        self.rejected(*self.goldens([{"weights": "nobody", "accuracy": 0.5}], "--goldens", GOLDENS), say=["nobody"])
        self.rejected(*self.goldens([right[0] | {"errors": ["nothing"]}], "--goldens", GOLDENS), say=["nothing"])


if __name__ == "__main__":
    main()
