"""`train --resume` goes on with a run's own settings, and one training at a time works in a folder."""

import json
import shutil
import signal
import subprocess
import time

from program import PROGRAM, ProgramTest, main, npy, run, small_text, snapshot, tensors


class ResumeTest(ProgramTest):
    OPTIONS = ("--rule", "dfa", "--batch-size", 32, "--lr", 0.02, "--seed", 5, "--samples", 128)
    MAKES_FINISHED = ("train", "--epochs", 2, "--quiet", *OPTIONS)

    def config(self, out):
        return json.loads((out / "config.json").read_text())

    def log(self, out):
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]

    def resume(self, out, *arguments, **options):
        result = run("train", "--out", out, "--resume", "--quiet", *arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def start(self, out, *arguments, epochs=10_000):
        """A training that goes on until it is stopped, at its first checkpoint."""
        process = subprocess.Popen([PROGRAM, *map(str, self.train(out, *self.OPTIONS, *arguments, epochs=epochs))],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not (out / "checkpoint.safetensors").exists():
            self.assertIsNone(process.poll(), "ended before its first checkpoint")
            time.sleep(0.01)
        return process

    def test_needs_nothing_else(self):
        copy = self.copy()
        self.assertIn("continued", self.resume(copy))
        after = snapshot(copy)
        for name, data in snapshot(self.finished).items():
            if name.name != "model.pt":  # whose archive has a stamp
                self.assertEqual(after[name], data, name)

    def test_more_epochs_make_it_longer(self):
        copy = self.copy()
        self.resume(copy, "--epochs", 4)
        self.assertEqual(self.config(copy), self.config(self.finished) | {"epochs": 4})
        self.assertEqual([line["epoch"] for line in self.log(copy)], [1, 2, 3, 4])
        self.assertEqual(self.log(copy)[:2], self.log(self.finished))
        self.assertNotEqual(tensors(copy / "checkpoint.safetensors")["model/3.weight"],
                            tensors(self.finished / "checkpoint.safetensors")["model/3.weight"])
        # What is longer is as long from now on, killed or not.
        once = self.log(copy)
        self.resume(copy)
        self.assertEqual(self.log(copy), once)
        self.rejected("train", "--out", copy, "--resume", "--epochs", 3, say=["--epochs", "at least 4"])

    def test_what_is_given_may_not_contradict(self):
        copy = self.copy()
        before = snapshot(copy)
        text = small_text(self.folder / "text.txt")
        for option, value, was in (("--lr", 0.01, "0.02"), ("--seed", 0, "5"), ("--rule", "tpfp", "dfa"), ("--samples", 0, "128"),
                                   ("--batch-size", 16, "32"), ("--network", "mnist-mlp", "mnist-hybrid"),
                                   ("--dataset", "kmnist", "mnist"), ("--validation", 0, "0.05"), ("--matmul", "high", "highest"),
                                   ("--splitter", 0.1, "0.0"), ("--start", text, '""'), ("--threads", 2, "1")):
            with self.subTest(option):
                self.rejected("train", "--out", copy, "--resume", option, value, say=[option, was, str(value)])
                self.assertEqual(snapshot(copy), before)
        self.resume(copy, *self.OPTIONS, "--epochs", 2, "--data-root", self.data)

    def test_the_data_may_move(self):
        copy, moved = self.copy(), self.folder / "moved"
        shutil.copytree(self.data, moved)
        self.resume(copy, "--data-root", "moved", "--epochs", 3, cwd=self.folder)
        self.assertEqual(self.config(copy)["data_root"], str(moved))
        self.rejected("train", "--out", copy, "--resume", "--data-root", self.folder / "absent", say=["absent"])

    def test_places_are_kept_for_other_folders(self):
        out = self.folder / "run"
        result = run("train", "--data-root", "data/", "--epochs", 1, "--quiet", *self.OPTIONS, "--out", out, "--start",
                     "finished", cwd=self.shared)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual((self.config(out)["data_root"], self.config(out)["start"]),
                         (str(self.data), str(self.finished)))
        evaluated = run("evaluate", out, cwd=self.folder)
        self.assertEqual(evaluated.returncode, 0, evaluated.stderr)
        self.resume(out, "--start", "../finished", "--epochs", 2, cwd=self.folder)

        small_text(self.folder / "text.txt")
        spoken = self.folder / "spoken"
        result = run("train", "--network", "charlm", "--rule", "bp", "--dataset", "text.txt", "--epochs", 1, "--samples",
                     2000, "--batch-size", 4, "--quiet", "--out", "spoken", cwd=self.folder)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.config(spoken)["dataset"], str(self.folder / "text.txt"))
        evaluated = run("evaluate", spoken, cwd="/")
        self.assertEqual(evaluated.returncode, 0, evaluated.stderr)

    def test_errors_are_kept_for_other_folders(self):
        errors = self.folder / "errors"
        errors.mkdir()
        for mesh in range(3):
            for side in ("left", "right"):
                npy(errors / f"mesh{mesh}_splitter_{side}.npy", (64, 32), [0.01] * 2048)
        out = self.folder / "run"
        result = run("train", "--data-root", self.data, "--network", "mpnn-in-situ", "--rule", "pat", "--errors", "errors",
                     "--epochs", 1, "--batch-size", 32, "--samples", 32, "--validation", 0, "--quiet", "--out", "run",
                     cwd=self.folder)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.config(out)["errors"], str(errors))
        evaluated = run("evaluate", out, cwd="/")
        self.assertEqual(evaluated.returncode, 0, evaluated.stderr)

    def test_interrupted_says_the_whole_command(self):
        out = self.folder / "a run's folder"
        process = self.start(out, "--alignment", "--checkpoint-seconds", 1e9, epochs=10_000)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        command = said.split("continue with: ")[1].strip()
        # It is the whole: a shell can run it, in the end with a length that a test can wait for.
        config = self.config(out) | {"epochs": len(self.log(out)) + 1}
        (out / "config.json").write_text(json.dumps(config))
        result = subprocess.run(command, shell=True, capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("continued", result.stdout)
        self.assertEqual(len(self.log(out)), config["epochs"])
        self.assertTrue(all(line["alignment"] for line in self.log(out)))
        self.assertEqual(result.stderr, "")

    def test_settings_of_a_run_are_checked(self):
        for key, value in (("epochs", -3), ("threads", -1), ("rule", "tpf"), ("batch_size", 2**40), ("learning_rate", -1)):
            copy = self.copy()
            (copy / "config.json").write_text(json.dumps(self.config(copy) | {key: value}))
            before = snapshot(copy)
            for arguments in (("evaluate", copy), ("info", copy), ("export", copy, "--out", self.folder / "m.pt"),
                              ("train", "--out", copy, "--resume")):
                self.rejected(*arguments, say=["config.json"])
            self.assertEqual(snapshot(copy), before)


    def test_the_second_is_refused(self):
        out = self.folder / "run"
        process = self.start(out)
        try:
            for arguments in (("--seed", 7), ("--resume",), ("--resume", "--seed", 7)):
                self.rejected(*self.train(out, *arguments), say=[str(out), "another training is running"])
            process.send_signal(signal.SIGSTOP)  # asleep, it will wake some time
            before = snapshot(out)
            self.rejected("train", "--out", out, "--resume", say=["another training is running"])
            self.assertEqual(snapshot(out), before)
        finally:
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        self.assertEqual(self.config(out)["seed"], 5)
        self.assertFalse((out / ".lock").exists())

    def test_of_many_one_begins(self):
        out = self.folder / "run"
        processes = [subprocess.Popen([PROGRAM, *map(str, self.train(out, "--seed", seed, epochs=1))],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for seed in range(6)]
        said = [process.communicate() for process in processes]
        accepted = [seed for seed, process in enumerate(processes) if process.returncode == 0]
        self.assertEqual(len(accepted), 1, said)
        self.assertEqual(self.config(out)["seed"], accepted[0])
        for seed, process in enumerate(processes):
            if seed not in accepted:
                self.assertEqual(process.returncode, 2)
        alone = self.folder / "alone"
        self.assertEqual(run(*self.train(alone, "--seed", accepted[0], epochs=1)).returncode, 0)
        self.assertEqual(tensors(out / "checkpoint.safetensors"), tensors(alone / "checkpoint.safetensors"))

    def test_parts_of_killed_writers_go(self):
        copy = self.copy()
        names = sorted(p.name for p in copy.iterdir())
        for name in names:
            (copy / f"{name}.part1").write_text("half of it")
        for strange in ("notes.part1", "config.json.partial"):
            (copy / strange).write_text("mine")
        (copy / ".lock").write_text("")  # of a killed one
        self.rejected(*self.train(copy), say=["--resume"])
        self.resume(copy)
        self.assertEqual(sorted(p.name for p in copy.iterdir()), sorted([*names, "config.json.partial", "notes.part1"]))
        killed = self.folder / "killed"  # before its configuration was there
        killed.mkdir()
        (killed / "config.json.part77").write_text("{")
        self.assertEqual(run(*self.train(killed, *self.OPTIONS, epochs=1)).returncode, 0)
        self.assertEqual(sorted(p.name for p in killed.iterdir()), names)

    def test_a_refused_training_leaves_no_folder(self):
        out = self.folder / "new" / "deeper" / "run"
        self.rejected(*self.train(out, data=self.folder / "absent"), say=["absent"])
        self.assertEqual(list(self.folder.iterdir()), [])


if __name__ == "__main__":
    main()
