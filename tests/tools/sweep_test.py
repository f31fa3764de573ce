"""`sweep`: a grid of trainings, and the job scripts for it."""

import json
import os
import shlex
import subprocess

from program import PROGRAM, ProgramTest, main, run, snapshot, tensors


class SweepTest(ProgramTest):
    MAKES_FINISHED = ("train", "--epochs", 1, "--quiet", "--rule", "dfa", "--samples", 128, "--batch-size", 32)

    def sweep(self, out, *arguments, config=None):
        return ("sweep", config or self.finished, "--out", out, *arguments)

    def test_trains_all_and_continues(self):
        out = self.folder / "sweep"
        command = self.sweep(out, "--grid", "lr=0.01,0.02", "--grid", "rule=bp,dfa", "--threads", 2)
        result = run(*command)
        self.assertEqual(result.returncode, 0, result.stderr)
        folders = {"lr-0-01-rule-bp", "lr-0-01-rule-dfa", "lr-0-02-rule-bp", "lr-0-02-rule-dfa"}
        self.assertLessEqual(folders, {path.name for path in out.iterdir()})
        config = json.loads((out / "lr-0-02-rule-bp" / "config.json").read_text())
        self.assertEqual((config["learning_rate"], config["rule"], config["samples"]), (0.02, "bp", 128))
        page = (out / "index.html").read_text()
        for word in ("All combinations", "held back", "0.02", "against lr"):
            self.assertIn(word, page)
        before = snapshot(out / "lr-0-02-rule-bp")
        again = run(*command)
        self.assertIn("4 of 4 trainings are finished already", again.stderr)
        self.assertEqual(snapshot(out / "lr-0-02-rule-bp"), before)
        # One more value: the others stay.
        more = run(*self.sweep(out, "--grid", "lr=0.01,0.02,0.05", "--grid", "rule=bp,dfa"))
        self.assertEqual(more.returncode, 0, more.stderr)
        self.assertIn("4 of 6 trainings are finished already", more.stderr)

    def test_scripts_train_the_same(self):
        done, out = self.folder / "done", self.folder / "emitted"
        grid = ("--grid", "lr=0.01,0.02", "--seeds", 2)
        self.assertEqual(run(*self.sweep(done, *grid)).returncode, 0)
        self.assertEqual(run(*self.sweep(out, *grid, "--emit", "parallel")).returncode, 0)
        lines = (out / "sweep.txt").read_text().splitlines()
        self.assertEqual(len(lines), 4)
        for line in lines:
            words = shlex.split(line)
            result = subprocess.run(words, capture_output=True, text=True)
            self.assertEqual(result.returncode, 0, result.stderr)
        for name in ("lr-0-01", "lr-0-02", "lr-0-01-seed1"):
            self.assertTrue(tensors(done / name / "checkpoint.safetensors") == tensors(out / name / "checkpoint.safetensors"))
        # What a script has trained, the sweep takes.
        self.assertIn("4 of 4 trainings are finished already", run(*self.sweep(out, *grid)).stderr)

    def test_a_job_array_has_a_task_for_each(self):
        out = self.folder / "a folder"
        self.assertEqual(run(*self.sweep(out, "--grid", "lr=0.01,0.02,0.03", "--emit", "slurm-array")).returncode, 0)
        script = out / "sweep.sbatch"
        self.assertIn("#SBATCH --array=0-2\n", script.read_text())
        bin_folder = self.folder / "bin"
        bin_folder.mkdir()
        (bin_folder / "optotorch").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        (bin_folder / "optotorch").chmod(0o755)
        script.write_text(script.read_text().replace(os.path.abspath(PROGRAM), str(bin_folder / "optotorch")))
        said = subprocess.run(["bash", script], capture_output=True, text=True,
                              env={"PATH": "/bin:/usr/bin", "SLURM_ARRAY_TASK_ID": "1"}).stdout.splitlines()
        self.assertEqual(said[0], "train")
        self.assertIn("0.02", said)
        self.assertIn(str(out / "lr-0-02"), said)

    def test_rule_options_and_files(self):
        config = self.folder / "part.json"
        config.write_text(json.dumps({"rule": "tpfp", "epochs": 1, "samples": 64, "data_root": str(self.data)}))
        out = self.folder / "sweep"
        result = run(*self.sweep(out, "--grid", "set.gain=0.1,0.3", config=config))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(json.loads((out / "set-gain-0-3" / "config.json").read_text())["set"], ["gain=0.3"])

    def test_what_is_wrong_is_said_before_anything_is_trained(self):
        out = self.folder / "sweep"
        part = self.folder / "part.json"
        part.write_text('{"rool": "bp"}')
        for arguments, say in (
                (("--grid", "lrr=1,2"), ["--grid", "'lrr'", "lr"]),
                (("--grid", "lr=1,x"), ["--grid lr", "numbers", "'x'"]),
                (("--grid", "epochs=1.5"), ["--grid epochs", "whole numbers"]),
                (("--grid", "lr=-1"), ["--lr"]),
                (("--grid", "lr"), ["SETTING=VALUE"]),
                (("--grid", "lr=1,1"), ["values that differ"]),
                (("--grid", "lr=1,,2"), ["values that differ"]),
                (("--grid", "lr=1", "--grid", "lr=2"), ["lr twice"]),
                (("--grid", "lr=1", "--grid", "learning_rate=2"), ["learning_rate twice"]),
                (("--grid", "lr=.1,1"), ["'lr=.1' and 'lr=1'"]),
                (("--grid", "rule=bp,bpp"), ["bpp"]),
                (("--grid", "set.gian=1"), ["gian"]),
                (("--grid", "seed=1,2"), ["--seeds N"]),
                (("--grid", "lr=1", "--emit", "pbs"), ["--emit"]),
                ((), ["--grid"])):
            with self.subTest(arguments):
                self.rejected(*self.sweep(out, *arguments), say=say)
        self.rejected(*self.sweep(out, "--grid", "lr=1", config=part), say=["rool", "rule"])
        self.rejected(*self.sweep(out, "--grid", "lr=1", config=self.folder / "absent.json"), say=["CONFIG"])
        self.rejected(*self.sweep(out, "--grid", "lr=1"), say=["WORLD_SIZE"], env=os.environ | {"WORLD_SIZE": "2", "RANK": "0"})
        self.assertFalse((out / "lr-1").exists())


if __name__ == "__main__":
    main()
