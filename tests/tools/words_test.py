"""What the program says: its help, and errors in one form, that help."""

import os
import re
import shlex
import subprocess
from pathlib import Path

from program import PROGRAM, ProgramTest, main, npy, run


class Words(ProgramTest):
    def test_help_teaches(self):
        for arguments in ((), ("train",), ("evaluate",), ("export",), ("info",), ("sample",), ("instrument",), ("reproduce",)):
            result = run(*arguments, "--help")
            self.assertEqual(result.returncode, 0)
            self.assertIn("Usage", result.stdout)
            self.assertIsNone(re.search(r"\d{30}|TEXT:|INT:|FLOAT:", result.stdout), result.stdout)
        self.assertIn("four-rules", run("reproduce", "--list").stdout)

    def test_mistyped_words_name_the_nearest(self):
        out = self.folder / "run"
        for arguments, nearest in (
            (("train", "--rule", "tpf", "--out", out), "tpfp"),
            (("train", "--network", "mnist-hybird", "--out", out), "mnist-hybrid"),
            (("train", "--dataset", "fashon-mnist", "--out", out), "fashion-mnist"),
            (("train", "--epoch", "2", "--out", out), "--epochs"),
            (("trian", "--out", out), "train"),
            (("reproduce", "four-rule", "--out", out), "four-rules"),
        ):
            self.rejected(*arguments, say=[nearest])
        self.assertFalse(out.exists())

    def test_values_out_of_range(self):
        for name, value in (("--epochs", 0), ("--batch-size", -1), ("--lr", "nan"), ("--lr", 0), ("--threads", 0),
                            ("--validation", -0.5), ("--epochs", "many"), ("--validation", 10_000),
                            ("--checkpoint-steps", -1), ("--checkpoint-seconds", -1), ("--seed", "x"), ("--device", "x"), ("--device", "meta")):
            out = self.folder / "run"
            self.rejected("train", "--data-root", self.data, "--out", out, name, value)
            self.assertFalse(out.exists())

    def test_another_word_is_near_to_nothing(self):
        out = self.folder / "run"
        for arguments in (("train", "--network", "resnet", "--out", out),
                          ("train", "--momentum", 0.9, "--out", out), ("fit",), ("reproduce", "resnet", "--out", out),
                          ("train", "--dataset", "cifar10", "--out", out)):
            said = self.rejected(*arguments)
            self.assertNotIn("mean", said)
            self.assertNotIn("Did you", said)

    def test_errors_have_one_form(self):
        for arguments in ((), ("train",), ("evaluate",), ("evaluate", "a", "b"), ("train", "--out", "x", "--lr"),
                          ("export", self.finished), ("sample", self.finished), ("info", self.folder / "absent"),
                          ("reproduce", "four-rules"), ("instrument", "--idle-ports", "none")):
            said = self.rejected(*arguments)  # which looks at the form
            self.assertEqual(said.count("\n"), 1, said)
            self.assertNotIn("optotorch: optotorch", said)

    def completed(self, *words):
        """What bash offers for the last word."""
        script = Path(__file__).parents[2] / "tools/completion/optotorch.bash"
        command = (f"source {shlex.quote(str(script))}; COMP_WORDS=({shlex.join([PROGRAM, *words])}); "
                   f"COMP_CWORD={len(words)}; _optotorch; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
        return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout.split()

    def test_completion(self):
        self.assertEqual(self.completed("e"), ["evaluate", "export"])
        self.assertEqual(self.completed("train", "--s"), ["--set", "--seed", "--samples", "--start", "--splitter", "--simulation",
                                                               "--similarity-to-phases"])
        self.assertEqual(self.completed("evaluate", "ru"), [])  # bash looks for files

    def test_help_is_readable(self):
        text = run("train", "--help").stdout
        self.assertNotIn("--splitter", text)
        self.assertIn("--help-laboratory", text)
        laboratory = run("train", "--help-laboratory").stdout
        for option in ("--splitter", "--correction", "--instrument"):
            self.assertIn(option, laboratory)
        self.assertNotIn("--batch-size", laboratory)
        for rule in ("bp", "tpfp", "tpfp-random", "dfa", "shallow", "pat", "dat-unitary"):
            self.assertRegex(text, rf"(?m)^ +{rule}: ")
        self.rejected("train", "--network", "mnist-mlp", "--splitter", 0.1, "--out", self.folder / "run", "--data-root", self.data,
                      say=["--network", "stages", "options of the laboratory"])  # it is hidden, not gone

    def test_values_that_libtorch_or_json_would_refuse(self):
        out = self.folder / "run"
        for arguments, say in ((("--lr", "1e38"), ["--lr", "at most"]), (("--lr", "1e300"), ["--lr", "at most"]),
                               (("--network", "mpnn-in-situ", "--rule", "dat-unitary", "--correction-lr", "1e38"),
                                ["--correction-lr", "at most"])):
            self.rejected(*self.train(out, *arguments), say=say)
            self.assertEqual(list(self.folder.iterdir()), [])
        latin = os.fsencode(self.folder) + b"/na\xefve"
        os.symlink(self.data, latin)
        done = subprocess.run([PROGRAM, "train", "--out", out, "--data-root", latin], capture_output=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"optotorch: error: --data-root: expected a text in UTF-8", done.stderr)
        self.assertFalse(out.exists())

    def test_samples_of_a_text(self):
        text = self.folder / "text.txt"
        text.write_text("the cat sat on the mat " * 400)
        said = self.rejected("train", "--network", "charlm", "--rule", "bp", "--dataset", text, "--samples", 8, "--out",
                             self.folder / "run", say=["--samples", "129", "got 8"])
        self.assertNotIn("has 8 characters", said)
        self.assertFalse((self.folder / "run").exists())

    def test_start_names_mesh_and_file(self):
        phases = self.folder / "phases"
        phases.mkdir()
        for mesh in range(3):
            for name in ("theta", "phi"):
                npy(phases / f"mesh{mesh}_{name}.npy", (64, 32), [0.1] * 2048)
            npy(phases / f"mesh{mesh}_gamma.npy", (64,), [0.1] * 64)
        npy(phases / "mesh1_phi.npy", (64, 31), [0.1] * 1984)
        out = self.folder / "run"
        self.rejected(*self.train(out, "--network", "mpnn", "--rule", "bp", "--start", phases), say=["--start", "mesh 1 of 3", "mesh1_phi.npy"])
        self.rejected(*self.train(out, "--network", "mpnn", "--rule", "bp", "--start", self.finished), say=["--start", "3 meshes"])
        self.assertFalse(out.exists())


if __name__ == "__main__":
    main()
