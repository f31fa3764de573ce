"""A network of the user's own, from a JSON file: train, kill, resume, evaluate, export, info, in a laboratory."""

import json
import shutil
import subprocess
import time

from program import PROGRAM, ProgramTest, main, run, snapshot, tensors

HYBRID = {
    "format": "optotorch-network-1",
    "description": "of a user's own",
    "layers": [
        {"type": "FourierLens", "window": 4},
        {"type": "MziMesh", "ports": 16},
        {"type": "Photodetector", "detection": "amplitude"},
        {"type": "Linear", "in_features": 16, "out_features": 12},
        {"type": "Tanh"},
        {"type": "WeightBank", "in_features": 12, "out_features": "classes", "initial": "zero"},
    ],
    "training": {"epochs": 2, "batch_size": 32, "learning_rate": 0.01,
                 "rules": {"tpfp": {"feedback": "adjoint", "strength": 0.1}}},
}
ELECTRONIC = {
    "format": "optotorch-network-1",
    "layers": [{"type": "Conv2d", "in_channels": "channels", "out_channels": 4, "kernel_size": [5, 5], "stride": [2, 2]},
               {"type": "ReLU"}, {"type": "Dropout", "p": 0.1}, {"type": "Flatten"},
               {"type": "BatchNorm1d", "num_features": 576},
               {"type": "Linear", "in_features": 576, "out_features": "classes", "initial": "glorot"}],
}


def diffractive(spacing):
    return {
        "format": "optotorch-network-1",
        "layers": [{"type": "SpatialLightModulator", "pixels": [32, 32]},
                   {"type": "DiffractiveLayer", "pixels": [32, 32], "hop": {"distance": 1e-5, "spacing": spacing}},
                   {"type": "DiffractiveLayer", "pixels": [32, 32], "hop": {"distance": 1e-5, "spacing": spacing}},
                   {"type": "Photodetector"},
                   {"type": "DetectorRegions", "window": [32, 32], "classes": "classes"}],
        "training": {"epochs": 1, "batch_size": 32, "learning_rate": 0.01},
    }


class OwnNetworkTest(ProgramTest):
    def write(self, network, name="my.json"):
        path = self.folder / name
        path.write_text(network if isinstance(network, str) else json.dumps(network))
        return path

    def ok(self, *arguments):
        result = run(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_everything_without_a_line_of_cpp(self):
        for number, (network, rule) in enumerate(((HYBRID, "tpfp"), (HYBRID, "dfa"), (ELECTRONIC, "bp"))):
            path = self.write(network)
            out = self.folder / f"run{number}"
            self.ok(*self.train(out, "--network", path, "--rule", rule))
            self.assertEqual((out / "network.json").read_text(), path.read_text())
            path.unlink()  # the run keeps what it trained
            self.assertIn("images: accuracy", self.ok("evaluate", out))
            info = self.ok("info", out)
            self.assertIn(network["layers"][0]["type"], info)
            self.ok("export", out, "--out", self.folder / "model.pt")
            self.assertIn("sha256", self.ok("info", self.folder / "model.pt"))
            self.ok("train", "--out", out, "--resume", "--epochs", 3, "--quiet")

    def test_killed_it_goes_on_to_the_same_bits(self):
        path = self.write(HYBRID)
        whole, killed = self.folder / "whole", self.folder / "killed"
        arguments = ("--network", path, "--rule", "tpfp", "--checkpoint-steps", 1)
        self.ok(*self.train(whole, *arguments, epochs=4))
        process = subprocess.Popen([PROGRAM, *map(str, self.train(killed, *arguments, epochs=4))])
        while not (killed / "checkpoint.safetensors").exists():
            self.assertIsNone(process.poll())
            time.sleep(0.005)
        process.kill()
        process.wait()
        path.write_text("{}")  # whatever became of it
        self.ok("train", "--out", killed, "--resume", "--quiet")
        self.assertEqual(tensors(killed / "checkpoint.safetensors"), tensors(whole / "checkpoint.safetensors"))

    def test_options_of_rules(self):
        path = self.write(HYBRID)
        plain, same, other = (self.folder / name for name in ("plain", "same", "other"))
        self.ok(*self.train(plain, "--network", path, "--rule", "tpfp", epochs=1))
        self.ok(*self.train(same, "--network", path, "--rule", "tpfp", "--set", "strength=.1", "--set", "feedback=adjoint",
                            epochs=1))
        self.ok(*self.train(other, "--network", path, "--rule", "tpfp", "--set", "feedback=random", epochs=1))
        weights = [tensors(out / "checkpoint.safetensors")["model/1.theta"] for out in (plain, same, other)]
        self.assertEqual(weights[0], weights[1])
        self.assertNotEqual(weights[0], weights[2])
        self.assertEqual(json.loads((same / "config.json").read_text())["set"], ["strength=.1", "feedback=adjoint"])
        self.ok("train", "--out", other, "--resume", "--epochs", 2, "--quiet")
        out = self.folder / "none"
        for rule, setting, words in (("tpfp", "strenght=1", ["strenght", "strength"]), ("tpfp", "strength", ["KEY=VALUE"]),
                                     ("tpfp", "feedback=twni", ["feedback", "twin"]), ("tpfp", "strength=many", ["strength"]),
                                     ("tpfp", "strength=0", ["strength"]), ("bp", "strength=1", ["strength"]),
                                     ("dfa", "frames=99", []), ("dfa", "per_token=maybe", ["per_token"])):
            if words:
                self.rejected(*self.train(out, "--network", path, "--rule", rule, "--set", setting), say=words)
        self.assertFalse(out.exists())

    def test_wrong_files_are_one_clear_error(self):
        out = self.folder / "none"

        def changed(**changes):
            return HYBRID | changes

        def layer(number, **changes):
            layers = [dict(entry) for entry in HYBRID["layers"]]
            layers[number] |= changes
            return HYBRID | {"layers": layers}

        for network, words in (("{", ["JSON"]), ("[]", ["object"]), (changed(format="other"), ["format"]),
                               (changed(trainig={}), ["trainig", "training"]),
                               (changed(training={"epoch": 1}), ["epoch", "epochs"]),
                               (changed(training={"epochs": 0}), ["training.epochs", "1 to"]),
                               (changed(training={"learning_rate": 1e300}), ["learning_rate"]),
                               (changed(training={"schedule": "cosin"}), ["training.schedule"]),
                               (changed(training={"rules": {"tpf": {}}}), ["tpf", "tpfp"]),
                               (changed(training={"rules": {"tpfp": {"gain": 0}}}), ["training.rules.tpfp"]),
                               (changed(training={"only": ["pbp"]}), ["training.only"]),
                               (changed(training={"laboratory": {"spliter": 1}}), ["spliter", "splitter"]),
                               (changed(training={"laboratory": {"splitter": 2}}), ["--splitter"]),
                               (layer(1, type="MziMehs"), ["layers[1].type", "MziMesh"]),
                               (layer(1, ports=17), ["layer 1", "16"]),
                               (layer(1, ports="pixel"), ["layers[1].ports", "'pixels'"]),
                               (layer(0, window=99), ["layer 0", "99"]),
                               (changed(layers=[]), [])):
            path = self.write(network)
            self.rejected(*self.train(out, "--network", path, "--rule", "tpfp"), say=words)
            self.assertFalse(out.exists(), words)
        self.rejected(*self.train(out, "--network", self.folder / "absent.json"), say=["absent.json"])
        self.rejected(*self.train(out, "--network", self.folder), say=[str(self.folder)])

    def test_a_run_without_its_network(self):
        copy = self.copy()
        (copy / "network.json").unlink()
        self.rejected("evaluate", copy, say=["network.json"])
        # A run of before networks were files.
        config = json.loads((copy / "config.json").read_text())
        config["model"] = config.pop("network")
        for name in ("set", "input", "resonance"):
            config.pop(name)
        (copy / "config.json").write_text(json.dumps(config))
        self.assertEqual(run("evaluate", copy).stdout.splitlines()[0], run("evaluate", self.finished).stdout.splitlines()[0])
        (copy / "config.json").write_text(json.dumps(config | {"model": "mnist-in-situ"}))
        self.rejected("evaluate", copy, say=["older version", "anew"])

    def test_a_laboratory_for_any_network_with_stages(self):
        path = self.write(HYBRID)
        for number, arguments in enumerate((("--rule", "pat", "--splitter", 0.05),
                                            ("--rule", "dat-unitary", "--phase", 0.05, "--resonance", 0.1),
                                            ("--rule", "tpfp", "--splitter", 0.05), ("--rule", "bp", "--loss-db", 0.1),
                                            ("--rule", "dat-output", "--correction", "linear"))):
            out = self.folder / f"run{number}"
            self.ok(*self.train(out, "--network", path, *arguments))
            self.assertIn("PhysicalNetwork", self.ok("info", out))
            once = self.ok("evaluate", out).splitlines()[0]
            self.ok("train", "--out", out, "--resume", "--epochs", 3, "--quiet")
            self.assertTrue(once)
            self.rejected("export", out, "--out", self.folder / "model.pt", say=["physical system"])
        electronic = self.write(ELECTRONIC, "electronic.json")
        self.rejected(*self.train(self.folder / "none", "--network", electronic, "--rule", "pat"), say=["stages"])
        self.ok(*self.train(self.folder / "in-situ", "--network", "mnist-in-situ", "--rule", "pat", epochs=1))
        # What is said counts, also where it is nothing.
        perfect = self.folder / "perfect"
        self.ok(*self.train(perfect, "--network", "mnist-in-situ", "--rule", "tpfp", "--splitter", 0, "--phase", 0, epochs=1))
        config = json.loads((perfect / "config.json").read_text())
        self.assertEqual((config["splitter"], config["phase"]), (0, 0))
        self.assertIn("continued", self.ok("train", "--out", perfect, "--resume", "--quiet"))

    def test_a_convolution_in_a_laboratory(self):
        network = {"format": "optotorch-network-1",
                   "layers": [{"type": "Convolution", "kernel_size": [4, 4], "stride": [4, 4],
                               "component": {"type": "WeightBank", "in_features": 16, "out_features": 6}},
                              {"type": "ReLU"}, {"type": "Flatten"},
                              {"type": "Linear", "in_features": 294, "out_features": "classes"}]}
        path = self.write(network)
        for number, arguments in enumerate((("--rule", "pat", "--resonance", 0.2),
                                            ("--rule", "dat-output", "--resonance", 0.2, "--identify", 2),
                                            ("--rule", "tpfp", "--relative-noise", 0.01))):
            out = self.folder / f"patches{number}"
            self.ok(*self.train(out, "--network", path, *arguments, epochs=1))
            self.rejected("export", out, "--out", self.folder / "model.pt", say=["physical system"])
            self.ok("train", "--out", out, "--resume", "--epochs", 2, "--quiet")
        start = self.folder / "electronic"
        self.ok(*self.train(start, "--network", path, "--rule", "bp", epochs=1))
        self.ok(*self.train(self.folder / "there", "--network", path, "--rule", "dat-output", "--resonance", 0.2,
                            "--start", start, epochs=1))

    def test_info_warns_once_of_evanescent_waves(self):
        for spacing, warnings in ((2e-7, 1), (3e-7, 0)):  # of a wavelength of 532 nm
            out = self.folder / f"spacing{spacing}"
            self.ok(*self.train(out, "--network", self.write(diffractive(spacing)), "--rule", "bp"))
            self.assertEqual(self.ok("info", out).count("warning"), warnings)

    def test_info_prints_a_file_to_start_from(self):
        text = self.ok("info", "--network", "mnist-hybrid")
        path = self.write(text)
        out, named = self.folder / "own", self.folder / "named"
        self.ok(*self.train(out, "--network", path, epochs=1))
        self.ok(*self.train(named, "--network", "mnist-hybrid", epochs=1))
        self.assertEqual(tensors(out / "checkpoint.safetensors"), tensors(named / "checkpoint.safetensors"))
        self.rejected("info", "--network", "mnist-hybird", say=["mnist-hybrid"])
        shutil.rmtree(out)
        self.assertEqual(sorted(str(name) for name in snapshot(named)),
                         ["checkpoint.safetensors", "config.json", "metrics.jsonl", "model.pt", "network.json"])


if __name__ == "__main__":
    main()
