"""What the program shows on a terminal, and what it does when the terminal or its output goes away."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time

from program import DATA, PROGRAM, ProgramTest, main, run


class TerminalTest(ProgramTest):
    def progress(self, columns=None):
        """What a training says on standard error: a terminal of so many columns, or a pipe."""
        command = [PROGRAM, *map(str, ("train", "--data-root", DATA, "--rule", "bp", "--epochs", 2, "--batch-size", 1,
                                       "--samples", 2000, "--threads", 1, "--out", self.folder / f"run{columns}"))]
        if columns is None:
            done = subprocess.run(command, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stderr
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        said = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end was closed
                break
            if not part:
                break
            said += part
        os.close(ours)
        self.assertEqual(process.wait(), 0, said)
        return said.decode()

    def test_progress_keeps_to_the_width(self):
        for columns in (44, 100):
            with self.subTest(columns):
                said = self.progress(columns)
                drawn = [line for line in re.split(r"\r\x1b\[K|\r?\n", said) if " left" in line]
                self.assertGreater(len(drawn), 2, said)
                for line in drawn:
                    self.assertLess(len(line), columns)
                    self.assertRegex(line, r"^epoch [12]/2  ")
                    self.assertRegex(line, r"\d+ %  (\d+ (h|min|s) ?)+ left")
                    self.assertEqual("[" in line, columns == 100, line)
                # What is left is left of the run: in the first epoch more than in the last.
                self.assertIn("epoch 1/2", drawn[0])
                # Each update takes the place of the one before: the only new lines are the epochs' ends.
                self.assertEqual(said.count("\n"), 2)

    def test_a_pipe_gets_plain_lines(self):
        said = self.progress()
        self.assertNotIn("\r", said)
        self.assertNotIn("\x1b", said)
        self.assertRegex(said, r"epoch 2/2  loss .* test .* %  [\d.]+ s\n$")

    def test_the_end_of_the_terminal_saves(self):
        out = self.folder / "run"
        process = subprocess.Popen(
            [PROGRAM, *map(str, self.train(out, "--checkpoint-seconds", 1e9, epochs=10_000))],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not (out / "checkpoint.safetensors").exists():
            self.assertIsNone(process.poll(), "ended before its first checkpoint")
            time.sleep(0.02)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGHUP)  # of the shell, beside that of the system
        output, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertIn(f"train --out {out} --resume", output)
        self.assertEqual(run("evaluate", out).returncode, 0)

    def test_lost_output_is_an_error(self):
        out = self.folder / "run"
        for arguments in (self.train(out, epochs=1), ("evaluate", self.finished), ("info", self.finished),
                          ("export", self.finished, "--out", self.folder / "m.pt"), ("train", "--help"), ("--version",)):
            with self.subTest(arguments[0]), open("/dev/full", "w") as full:
                done = subprocess.run([PROGRAM, *map(str, arguments)], stdout=full, stderr=subprocess.PIPE, text=True)
                self.assertEqual(done.returncode, 2)
                self.assertTrue(done.stderr.startswith("optotorch: error: standard output: expected room"), done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1)
        # What was done is done.
        self.assertEqual(json.loads((out / "metrics.jsonl").read_text())["epoch"], 1)


if __name__ == "__main__":
    main()
