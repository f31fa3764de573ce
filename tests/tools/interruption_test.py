"""A training that is killed or interrupted resumes to the same bits."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time

from program import PROGRAM, Instrument, ProgramTest, main, run, small_text, snapshot, tensors


class InterruptionTest(ProgramTest):
    def start(self, out, *arguments, epochs=6):
        command = self.train(out, "--resume", "--seed", 3, "--batch-size", 16, *arguments, epochs=epochs)
        return subprocess.Popen([PROGRAM, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True)

    def finish(self, out, *arguments, **options):
        process = self.start(out, *arguments, **options)
        _, errors = process.communicate()
        self.assertEqual(process.returncode, 0, errors)

    def log(self, out):
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]

    def ends_like(self, out, whole):
        """Weights, moments, what the rule remembers, the generator and the log: bit by bit."""
        return (tensors(out / "checkpoint.safetensors") == tensors(whole / "checkpoint.safetensors") and
                self.log(out) == self.log(whole))

    def kill_and_resume(self, times, *arguments):
        whole = self.folder / "whole"
        begin = time.monotonic()
        self.finish(whole, *arguments)
        duration = time.monotonic() - begin
        generator = random.Random(1)
        equal = kills = 0
        for number in range(times):
            out = self.folder / str(number)
            process = self.start(out, *arguments)
            try:
                begin = time.monotonic()
                process.communicate(timeout=generator.uniform(0.05, 0.8) * duration)
                duration = min(duration, time.monotonic() - begin)  # the first run was slower: files were cold
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
            self.finish(out, *arguments)
            equal += self.ends_like(out, whole)
            shutil.rmtree(out)
        print(f"kill -9 at {kills} random instants of {times}, then resume: {equal} of {times} bit-identical",
              file=sys.stderr)
        self.assertEqual(equal, times)
        self.assertGreaterEqual(kills, times // 2)
        return whole

    def test_kill_at_random_instants_then_resume(self):
        self.kill_and_resume(8, "--rule", "tpfp", "--checkpoint-steps", 3)

    def test_kill_with_a_text(self):
        # The noise of the projection, too: no exposure may be met twice.
        text = small_text(self.folder / "text.txt")
        whole = self.kill_and_resume(3, "--network", "charlm", "--rule", "odfa", "--dataset", text, "--samples", 4_000,
                                     "--checkpoint-steps", 3)
        self.assertTrue(any("rule/" in name for name in tensors(whole / "checkpoint.safetensors")))

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


class LaboratoryInterruptionTest(InterruptionTest):
    """The same in a laboratory, where corrections learn as well."""

    IN_SITU = ("--network", "mpnn-in-situ", "--rule", "dat-unitary", "--calibration", 1, "--checkpoint-steps", 3)
    CHIPS = ("--splitter", 0.06, "--phase", 0.06)
    INSTRUMENT = ("--ports", 64, "--meshes", 3, "--idle-ports", "bar", *CHIPS, "--seed", 3)

    test_interrupt_leaves_a_checkpoint = test_kill_with_a_text = None  # as they stand above

    def test_kill_at_random_instants_then_resume(self):
        whole = self.kill_and_resume(3, *self.IN_SITU, *self.CHIPS, "--correction", "white-box")
        held = tensors(whole / "checkpoint.safetensors")
        for n in range(3):  # or there was nothing to compare
            for name in ("theta_offset", "phi_offset", "splitter_error"):
                self.assertTrue(any(held[f"rule/correction.{n}.{name}"][2]), (n, name))

    def test_kill_with_a_network_as_correction(self):
        self.kill_and_resume(2, *self.IN_SITU, *self.CHIPS, "--correction", "unet-4k")

    def test_kill_after_identification(self):
        whole = self.kill_and_resume(2, "--network", "mpnn-in-situ", "--rule", "in-silico", "--identify", 4,
                                     "--checkpoint-steps", 3, *self.CHIPS)
        held = tensors(whole / "checkpoint.safetensors")
        self.assertTrue(any(held["rule/correction.0.theta_offset"][2]))  # or there was nothing to lose

    def test_kill_with_an_instrument_elsewhere(self):
        local = self.folder / "local"
        self.finish(local, *self.IN_SITU, *self.CHIPS, "--chip-seed", 3)
        with Instrument(self.folder / "instrument", *self.INSTRUMENT) as instrument:
            whole = self.kill_and_resume(2, *self.IN_SITU, "--instrument", instrument.address)
        self.assertTrue(self.ends_like(whole, local), "a remote chip is another than a local one of the same seed")

    def test_kill_with_planes_elsewhere(self):
        plane = {"type": "DiffractiveLayer", "pixels": [28, 28], "hop": {"distance": 0.005, "propagation": "fresnel"}}
        network = self.folder / "planes.json"
        network.write_text(json.dumps({
            "format": "optotorch-network-1",
            "layers": [{"type": "SpatialLightModulator", "pixels": [28, 28]}, plane, plane, {"type": "Photodetector"},
                       {"type": "DetectorRegions", "window": [28, 28], "classes": "classes"}],
            "training": {"epochs": 1, "batch_size": 16, "learning_rate": 0.03}}))
        errors = ("--offset", 0.25, "--rotation", 0.009, "--distance", 0.02, "--phase", 0.2, "--aberration", 0.3)
        settings = ("--network", network, "--rule", "dat-unitary", "--correction", "white-box", "--calibration", 1,
                    "--checkpoint-steps", 3)
        local = self.folder / "local"
        self.finish(local, *settings, *errors, "--chip-seed", 3)
        with Instrument(self.folder / "instrument", "--network", network, *errors, "--seed", 3) as instrument:
            whole = self.kill_and_resume(2, *settings, "--instrument", instrument.address)
        self.assertTrue(self.ends_like(whole, local), "remote planes are others than local ones of the same seed")

    def test_the_instrument_dies(self):
        epochs, out = 8, self.folder / "run"
        local = self.folder / "local"
        self.finish(local, *self.IN_SITU, *self.CHIPS, "--chip-seed", 3, epochs=epochs)
        checkpoint = out / "checkpoint.safetensors"
        with Instrument(self.folder / "instrument", *self.INSTRUMENT) as instrument:
            arguments = (*self.IN_SITU, "--instrument", instrument.address, "--reconnect", 0)
            process = self.start(out, *arguments, epochs=epochs)
            while not (out / "metrics.jsonl").exists():
                self.assertIsNone(process.poll(), "ended before its first epoch")
                time.sleep(0.01)
            instrument.kill()
            _, errors = process.communicate(timeout=100)
        self.assertEqual(process.returncode, 2, errors)
        self.assertIn("RemoteSystem", errors)
        self.assertIn(instrument.address, errors)
        self.assertEqual(len(errors.strip().splitlines()), 1, errors)
        self.assertNotIn("frame #", errors)
        self.assertLess(len(self.log(out)), epochs)
        # Nobody is there: nothing is lost by trying.
        before = snapshot(out)
        self.assertIn("RemoteSystem", self.rejected(*self.train(out, "--resume", "--seed", 3, "--batch-size", 16,
                                                                *arguments, epochs=epochs)))
        self.assertEqual(snapshot(out), before)
        self.assertTrue(checkpoint.exists())
        with Instrument(self.folder / "instrument", *self.INSTRUMENT):
            self.finish(out, *arguments, epochs=epochs)
        self.assertTrue(self.ends_like(out, local))


if __name__ == "__main__":
    main()
