"""`train` as several ranks: the variables that torchrun and job scripts set, a lost rank, resuming."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time

from program import PROGRAM, ProgramTest, main, run, tensors


class DistributedTest(ProgramTest):
    OPTIONS = ("--rule", "bp", "--batch-size", 32, "--lr", 0.02, "--seed", 5)
    MAKES_FINISHED = ("train", "--epochs", 2, "--quiet", *OPTIONS)

    def start(self, out, *arguments, ranks=2, each=lambda rank: (), restarts=None, epochs=2,
              options=None):
        """One process a rank."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        processes = []
        for rank in range(ranks):
            env = os.environ | {"RANK": str(rank), "WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1",
                                "MASTER_PORT": str(port)}
            if restarts is not None:
                env["TORCHELASTIC_RESTART_COUNT"] = str(restarts)
            command = self.train(out, *(options or self.OPTIONS), *arguments, *each(rank), epochs=epochs)
            processes.append(subprocess.Popen([PROGRAM, *map(str, command)], env=env, text=True,
                                              stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        return processes

    def ends(self, processes):
        """Exit code, standard output and errors of every rank."""
        result = []
        for process in processes:
            said, complained = process.communicate(timeout=120)
            result.append((process.returncode, said, complained))
        return result

    def trained(self, out, *arguments, **options):
        for rank, (code, said, complained) in enumerate(self.ends(self.start(out, *arguments, **options))):
            self.assertEqual(code, 0, complained)
            self.assertEqual(complained, "")
            self.assertEqual(bool(said), rank == 0, said)  # one of them talks
        return out

    def log(self, out):
        return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]

    def weights(self, out):
        return {name: value for name, value in tensors(out / "checkpoint.safetensors").items()
                if name.startswith(("model/", "optimizer/"))}

    def assert_same(self, out, other):
        mine, theirs = self.weights(out), self.weights(other)
        self.assertEqual(mine.keys(), theirs.keys())
        for name, value in mine.items():
            self.assertTrue(value == theirs[name], name)  # assertEqual would compare megabytes in words

    def one_error(self, processes, *say):
        """One rank says it; all end."""
        ends = self.ends(processes)
        speakers = [complained for _, _, complained in ends if complained]
        self.assertEqual(len(speakers), 1, ends)
        for word in say:
            self.assertIn(word, speakers[0])
        self.assertEqual(sorted(code for code, _, _ in ends)[-1], 2, ends)
        self.assertEqual(sorted(code for code, _, _ in ends)[0], 1, ends)

    def test_is_what_one_process_trains(self):
        two = self.log(self.trained(self.folder / "two"))
        three = self.log(self.trained(self.folder / "three", ranks=3))  # 32 samples: 10, 11 and 11
        for whole, one, other in zip(self.log(self.finished), two, three, strict=True):
            for name in ("train_loss", "train_accuracy", "test_accuracy", "validation_accuracy"):
                self.assertAlmostEqual(whole[name], one[name], delta=1e-5 * abs(whole[name]), msg=name)
                self.assertAlmostEqual(whole[name], other[name], delta=1e-5 * abs(whole[name]), msg=name)

    def test_repeats_to_the_bit_however_often_a_rank_is_lost(self):
        whole = self.trained(self.folder / "whole", epochs=6)
        out = self.folder / "killed"
        for attempt in range(4):
            processes = self.start(out, "--checkpoint-steps", 1, restarts=attempt, epochs=6)
            deadline = time.monotonic() + 60
            before = (out / "checkpoint.safetensors").stat().st_mtime_ns if attempt else 0
            while time.monotonic() < deadline and all(process.poll() is None for process in processes):
                checkpoint = out / "checkpoint.safetensors"
                if checkpoint.exists() and checkpoint.stat().st_mtime_ns != before:
                    break
                time.sleep(0.002)
            processes[attempt % 2].send_signal(signal.SIGKILL)
            ends = self.ends(processes)
            survivor = ends[1 - attempt % 2]
            if survivor[0] == 0:
                break  # it was through
            self.assertIn("expected all 2 at work, got one that is lost", survivor[2])
            self.assertEqual(survivor[0], 2)
        for code, _, complained in self.ends(self.start(out, "--resume", epochs=6)):
            self.assertEqual(code, 0, complained)
        self.assert_same(out, whole)

    def test_any_number_of_ranks_goes_on(self):
        out = self.trained(self.folder / "run", epochs=1)
        result = run("train", "--out", out, "--resume", "--epochs", 2, "--quiet")
        self.assertEqual(result.returncode, 0, result.stderr)
        alone = self.folder / "alone"
        self.assertEqual(run(*self.train(alone, *self.OPTIONS, epochs=1)).returncode, 0)
        self.assertEqual(run("train", "--out", alone, "--resume", "--epochs", 2, "--quiet").returncode, 0)
        for whole, part in zip(self.log(alone), self.log(out), strict=True):
            self.assertAlmostEqual(whole["train_loss"], part["train_loss"], delta=1e-5)

    def test_ctrl_c_on_one_rank_ends_all(self):
        out = self.folder / "run"
        processes = self.start(out, "--checkpoint-steps", 1, epochs=10_000)
        while not (out / "checkpoint.safetensors").exists():
            time.sleep(0.01)
        processes[1].send_signal(signal.SIGINT)
        ends = self.ends(processes)
        self.assertEqual([code for code, _, _ in ends], [130, 130], ends)
        self.assertIn("interrupted; continue with", ends[0][1])

    def test_settings_must_agree(self):
        out = self.folder / "run"
        self.one_error(self.start(out, each=lambda rank: ("--rule", "dfa")[: 2 * rank], options=self.OPTIONS[2:]),
                       "settings: expected the same on all ranks, got '--rule tpfp' on rank 0 and '--rule dfa' on rank 1")
        self.assertFalse((out / "config.json").exists())

    def test_batches_must_be_large_enough(self):
        self.one_error(self.start(self.folder / "run", options=("--rule", "bp", "--batch-size", 1)),
                       "--batch-size: expected a sample for each of 2 ranks, got 1")

    def test_rules_without_gradients_are_refused(self):
        self.one_error(self.start(self.folder / "run", options=("--network", "ternary-mnist", "--rule", "annealing")),
                       "which writes the parameters itself")

    def test_a_laboratory_for_each_rank(self):
        chips = {"options": ("--network", "mnist-in-situ", "--rule", "pat", "--splitter", 0.05, "--batch-size", 8)}
        whole = self.trained(self.folder / "whole", **chips)
        out = self.folder / "killed"
        processes = self.start(out, "--checkpoint-steps", 3, **chips)
        while not (out / "checkpoint-rank1.safetensors").exists() or not (out / "checkpoint.safetensors").exists():
            time.sleep(0.002)
        time.sleep(0.01)
        for process in processes:
            process.send_signal(signal.SIGINT)  # both leave checkpoints behind the same step
        self.ends(processes)
        for code, _, complained in self.ends(self.start(out, "--resume", **chips)):
            self.assertEqual(code, 0, complained)
        self.assert_same(out, whole)
        own = tensors(out / "checkpoint-rank1.safetensors")
        shared = tensors(out / "checkpoint.safetensors")
        for name in shared:
            if name.startswith(("model/1.", "model/3.")):
                self.assertTrue(own[name] == shared[name], name)
        # One rank was killed when it was to put its new checkpoint in the old one's place.
        (out / "checkpoint-rank1.safetensors").rename(out / "checkpoint-rank1.safetensors.next")
        for code, said, complained in self.ends(self.start(out, "--resume", **chips)):
            self.assertEqual(code, 0, complained)
        self.assertTrue((out / "checkpoint-rank1.safetensors").exists())
        self.assertFalse((out / "checkpoint-rank1.safetensors.next").exists())
        self.assert_same(out, whole)
        # One that not all have yet is none.
        shutil.copy(out / "checkpoint.safetensors", out / "checkpoint.safetensors.next")
        (out / "checkpoint.safetensors.next").write_bytes(b"cut off")
        for code, said, complained in self.ends(self.start(out, "--resume", **chips)):
            self.assertEqual(code, 0, complained)
        self.assert_same(out, whole)
        # Alone it would leave the others behind.
        self.rejected("train", "--out", out, "--resume", "--epochs", 3, say=["as many ranks as hardware: 2, got 1"])
        # Without its own checkpoint a rank does not guess.
        (out / "checkpoint-rank1.safetensors").unlink()
        self.one_error(self.start(out, "--resume", epochs=3, **chips), "place in the run")

    def test_variables_must_be_whole(self):
        self.rejected(*self.train(self.folder / "run"), say=["RANK: expected an integer from 0 to 1, got none"],
                      env=os.environ | {"WORLD_SIZE": "2"})
        self.rejected(*self.train(self.folder / "run"), say=["MASTER_ADDR"],
                      env=os.environ | {"WORLD_SIZE": "2", "RANK": "0"})


if __name__ == "__main__":
    main()
