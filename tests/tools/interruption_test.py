"""A training that is killed or interrupted resumes to the same bits."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time

from program import PROGRAM, ProgramTest, main, run


class InterruptionTest(ProgramTest):
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
    main()
