"""`optotorch reproduce`: what it leaves behind, that it goes on where it was stopped, and what it says of trouble."""

import json
import os
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree
from pathlib import Path

from program import PROGRAM, ProgramTest, main, run, snapshot, tiny_mnist
from reproduced import KEYS, Checker

RULES = ("bp", "tpfp", "dfa", "shallow")


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
        # Accuracy, loss, two alignments; a confusion matrix and a phase map of each of the four.
        self.assertEqual(len(page.pictures), 12)
        self.assertEqual(len([picture for picture in page.pictures if "-dfa-confusion" in picture]), 1)
        # Three epochs are three ticks, and two seeds a band.
        script = (self.finished / page.pictures[0]).with_suffix(".gp").read_text()
        self.assertIn("set xtics 1\n", script)
        self.assertIn("filledcurves", script)
        self.check_band((self.finished / page.pictures[0]).with_suffix(".dat"))
        for picture in page.pictures:
            root = xml.etree.ElementTree.parse(self.finished / picture).getroot()
            self.assertTrue(root.tag.endswith("svg"))
            for other in (".gp", ".dat"):
                self.assertTrue((self.finished / picture).with_suffix(other).exists())

    def check_band(self, data):
        """Of each rule, an epoch a line: mean, least and greatest over the seeds."""
        for part, rule in zip(data.read_text().split("\n\n\n"), RULES):
            seeds = [[100 * json.loads(line)["test_accuracy"]
                      for line in (self.finished / folder / "metrics.jsonl").read_text().splitlines()]
                     for folder in (rule, rule + "-seed1")]
            rows = [list(map(float, line.split())) for line in part.splitlines()]
            self.assertEqual(len(rows), 3)
            for row, epoch, a, b in zip(rows, (1, 2, 3), *seeds):
                for value, expected in zip(row, (epoch, (a + b) / 2, min(a, b), max(a, b)), strict=True):
                    self.assertAlmostEqual(value, expected, places=5)

    def test_without_gnuplot(self):
        out = self.copy()
        result = run(*self.command(out), env=os.environ | {"PATH": str(self.folder)})
        self.assertEqual(result.returncode, 0, result.stderr)
        text = (out / "index.html").read_text()
        page = Checker(text)
        self.assertEqual(page.pictures, [])
        self.assertIn("apt install gnuplot-nox", text)
        self.assertEqual(list((out / "pictures").glob("*.svg")), [])
        self.assertEqual(len(list((out / "pictures").glob("*.dat"))), 12)

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
        for after in (1, 6):
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


if __name__ == "__main__":
    main()
