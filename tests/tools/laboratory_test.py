"""Trainings of a physical system, as a user meets them: what a run holds, and what is said of wrong input."""

import json
import shutil
import subprocess

from program import PROGRAM, Instrument, ProgramTest, main, npy, run, tensors

COLUMNS, SLOTS, PORTS, MESHES = 64, 32, 64, 3
CHIPS = ("--splitter", 0.06, "--phase", 0.06)


class LaboratoryTest(ProgramTest):
    MAKES_FINISHED = ("train", "--network", "mpnn-in-situ", "--rule", "dat-unitary", *CHIPS, "--epochs", 2,
                      "--batch-size", 32, "--quiet")

    def in_situ(self, out, *arguments, rule="dat-unitary", epochs=1):
        return self.train(out, "--batch-size", 32, "--network", "mpnn-in-situ", "--rule", rule, *arguments, epochs=epochs)

    def trained(self, name, *arguments, **options):
        out = self.folder / name
        result = run(*self.in_situ(out, *arguments, **options))
        self.assertEqual(result.returncode, 0, result.stderr)
        return out

    def log(self, out):
        return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]

    def nothing_of(self, *arguments, say=(), rule="dat-unitary"):
        """One error, and not even a folder."""
        out = self.folder / "refused"
        said = self.rejected(*self.in_situ(out, *arguments, rule=rule), say=say)
        self.assertFalse(out.exists(), arguments)
        return said

    def errors(self, name, meshes=MESHES, shape=(COLUMNS, SLOTS), value=0.0, names=("theta", "phi")):
        folder = self.folder / name
        folder.mkdir()
        for number in range(meshes):
            for kind in names:
                npy(folder / f"mesh{number}_{kind}.npy", shape, [value] * (shape[0] * shape[1]))
        return folder

    def phases_of(self, out):
        return {name: held for name, held in tensors(out / "checkpoint.safetensors").items()
                if name.endswith((".theta", ".phi", ".gamma")) and name.startswith("model/")}

    def test_a_run_before_networks_trained_on_devices(self):
        """`device` said what simulates planes then; `simulation` does now."""
        out = self.folder / "older"
        shutil.copytree(self.finished, out)
        path = out / "config.json"
        config = json.loads(path.read_text())
        for word, accepted in (("model", True), ("fine", False)):  # fine planes would be planes
            older = {name: value for name, value in config.items() if name not in ("device", "simulation")}
            path.write_text(json.dumps({**older, "device": word}))
            result = run(*self.in_situ(out, "--resume", epochs=3))
            self.assertEqual(result.returncode == 0, accepted, result.stderr)
            self.assertIs("--simulation" in result.stderr, not accepted)
            if accepted:
                now = json.loads(path.read_text())
                self.assertEqual((now["device"], now["simulation"]), ("cpu", "model"))

    def test_a_single_epoch_teaches_the_stages(self):
        """Calibration, an epoch by default, would be all of it."""
        start = self.phases_of(self.finished)
        self.assertTrue(start)
        for arguments, calibration in (((), 0), (("--calibration", 1), 1)):
            out = self.folder / f"single{calibration}"
            # A network whose file says nothing of a laboratory.
            result = run(*self.train(out, "--batch-size", 32, "--network", "mpnn", "--rule", "dat-unitary",
                                     "--start", self.finished, *CHIPS, *arguments, epochs=1))
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(json.loads((out / "config.json").read_text())["calibration"], calibration)
            (self.assertEqual if calibration else self.assertNotEqual)(self.phases_of(out), start)

    def test_what_a_run_holds(self):
        self.assertEqual(sorted(p.name for p in self.finished.iterdir()),
                         ["checkpoint.safetensors", "config.json", "metrics.jsonl", "network.json"])
        config = json.loads((self.finished / "config.json").read_text())
        for name, value in (("splitter", 0.06), ("phase", 0.06), ("correction", "white-box"), ("calibration", 1)):
            self.assertEqual(config[name], value)
        for line in self.log(self.finished):
            self.assertEqual(list(line["measures"]), ["similarity_loss"])
            self.assertGreater(line["measures"]["similarity_loss"], 0)
        out = self.folder / "result.json"
        self.assertEqual(run("evaluate", self.finished, "--json", out).returncode, 0)
        self.assertEqual(json.loads(out.read_text())["accuracy"], self.log(self.finished)[-1]["test_accuracy"])
        self.assertIn("PhysicalNetwork", run("info", self.finished).stdout)
        self.assertEqual(self.rejected("export", self.finished, "--out", self.folder / "model.pt").count("\n"), 1)
        self.assertFalse((self.folder / "model.pt").exists())

    def test_every_rule_trains(self):
        for rule, options in (("pat", ()), ("pat-output", ()), ("at", ()),
                              ("dat-output", ("--calibration", 0, "--correction", "linear")),
                              ("dat-separable", ("--calibration", 0, "--fusion", "in-place")),
                              ("in-silico", ("--correction", "exact")), ("in-silico", ("--identify", 3))):
            with self.subTest(rule=rule, options=options):
                out = self.trained(rule + str(len(options)) + str(options[-1:]), *CHIPS, *options, "--alignment",
                                   rule=rule)
                self.assertEqual("measures" in self.log(out)[0], rule.startswith("dat"))
                (cosine,) = self.log(out)[0]["alignment"]
                self.assertLessEqual(abs(cosine), 1 + 1e-6)
                if "exact" in options:
                    self.assertAlmostEqual(cosine, 1, places=5)

    def test_an_oracle_knows_the_slopes_of_a_simulation(self):
        plane = {"type": "DiffractiveLayer", "pixels": [28, 28], "hop": {"distance": 0.005, "propagation": "fresnel"}}
        planes = self.folder / "planes.json"
        planes.write_text(json.dumps({
            "format": "optotorch-network-1",
            "layers": [{"type": "SpatialLightModulator", "pixels": [28, 28]}, plane, plane, {"type": "Photodetector"},
                       {"type": "DetectorRegions", "window": [28, 28], "classes": "classes"}]}))
        out = self.folder / "oracle"
        result = run(*self.train(out, "--batch-size", 32, "--network", planes, "--rule", "oracle", "--simulation", "fine",
                                 "--offset", 0.2, "--alignment", epochs=1))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertAlmostEqual(self.log(out)[0]["alignment"][0], 1, places=5)
        self.nothing_of(*CHIPS, rule="oracle", say=["--simulation", "fine", "exact"])

    def test_a_seed_of_its_own_for_the_chip(self):
        same = self.trained("same", *CHIPS, "--chip-seed", 0)
        again = self.trained("again", *CHIPS)
        other = self.trained("other", *CHIPS, "--chip-seed", 1)
        weights = [tensors(out / "checkpoint.safetensors") for out in (same, again, other)]
        self.assertEqual(weights[0], weights[1])
        self.assertNotEqual(weights[0], weights[2])

    def test_errors_from_a_folder(self):
        nothing = self.trained("nothing", "--errors", self.errors("zeros"))
        perfect = self.trained("perfect")
        self.assertEqual(tensors(nothing / "checkpoint.safetensors"), tensors(perfect / "checkpoint.safetensors"))
        wrong = self.trained("wrong", "--errors", self.errors("large", value=0.2))
        self.assertNotEqual(self.log(wrong)[0]["train_loss"], self.log(perfect)[0]["train_loss"])
        damaged = self.errors("damaged")
        (damaged / "mesh1_phi.npy").write_bytes(b"\x93NUMPY\x01\x00")
        missing = self.errors("missing")
        (missing / "mesh1_phi.npy").unlink()
        strange = self.errors("strange", value=float("nan"))
        for folder, say in ((damaged, "mesh1_phi.npy"), (missing, "mesh1_phi.npy"), (strange, "mesh0_theta.npy"),
                            (self.errors("small", shape=(COLUMNS, SLOTS - 1)), "mesh0_theta.npy"),
                            (self.errors("two", meshes=2), "mesh2_"), (self.errors("four", meshes=4), "mesh"),
                            (self.errors("splitters", value=1.5, names=("splitter_left", "splitter_right")),
                             "splitter"),
                            (f"{missing}/absent", "absent"), (self.data, str(self.data)),
                            (f"{self.folder}/zeros,{self.folder}/large", "large")):
            self.nothing_of("--errors", folder, say=[say])

    def test_sizes_out_of_range(self):
        for option, value, say in (("--splitter", -1, "--splitter"), ("--splitter", 1.5, "--splitter"),
                                   ("--phase", "nan", "--phase"), ("--phase", "inf", "--phase"),
                                   ("--loss-db", 1000, "--loss-db"), ("--crosstalk", 0.6, "--crosstalk"),
                                   ("--phase-bits", 30, "--phase-bits"), ("--phase-bits", 2.5, "--phase-bits"),
                                   ("--relative-noise", "nan", "--relative-noise"), ("--chip-seed", -2, "--chip-seed"),
                                   ("--correction-lr", 0, "--correction-lr"), ("--correction-lr", "nan", "--correction-lr"),
                                   ("--calibration", -1, "--calibration"), ("--identify", 10**7, "--identify"),
                                   ("--cleared", 1.5, "--cleared"),
                                   ("--similarity-to-phases", "nan", "--similarity-to-phases"),
                                   ("--retries", 1001, "--retries"), ("--retries", -1, "--retries"),
                                   ("--reconnect", "nan", "--reconnect"), ("--reconnect", 1e7, "--reconnect")):
            self.nothing_of(option, value, say=[say])
        for option in ("--correction-lr", "--similarity-to-phases"):
            self.nothing_of(option, "nan", "--identify", 2, rule="in-silico", say=[option])

    def test_words(self):
        self.nothing_of("--correction", "foo", say=["--correction", "foo", "white-box"])
        self.nothing_of("--correction", "none", say=["--correction", "none"])
        self.nothing_of("--fusion", "foo", say=["--fusion", "propagate"])
        self.nothing_of("--correction", "none", "--identify", 2, rule="in-silico", say=["--identify"])
        self.nothing_of(rule="tpfp", say=["--rule", "tpfp", "dat-unitary"])
        out = self.folder / "electronic"
        electronic = ("--network", "mnist-mlp", "--rule", "bp")
        for rule in ("dat-unitary", "pat", "at", "in-silico"):
            self.rejected(*self.train(out, *electronic[:2], "--rule", rule), say=["--network", "stages"])
            self.assertFalse(out.exists())
        for option, value in (("--splitter", 0.1), ("--correction", "linear"), ("--calibration", 1), ("--chip-seed", 1),
                              ("--retries", 1), ("--reconnect", 1)):
            self.rejected(*self.train(out, *electronic, option, value), say=["--network", "stages"])
            self.assertFalse(out.exists())

    def test_start(self):
        # Calibration keeps the phases: they are those of the run that it began with.
        out = self.trained("start", "--start", self.finished, *CHIPS, "--seed", 5, "--calibration", 1)
        self.assertTrue(self.phases_of(out))
        self.assertEqual(self.phases_of(out), self.phases_of(self.finished))
        self.nothing_of("--start", self.folder / "absent", say=["--start", "absent"])
        self.nothing_of("--start", self.data, say=["mesh0_theta.npy"])
        hybrid = self.folder / "hybrid"
        self.assertEqual(run(*self.train(hybrid, epochs=1)).returncode, 0)
        self.nothing_of("--start", hybrid, say=["--start", "3 meshes"])
        damaged = self.copy()
        (damaged / "checkpoint.safetensors").write_bytes(b"damaged")
        self.nothing_of("--start", damaged, say=["checkpoint.safetensors"])
        shutil.rmtree(damaged)

    def test_resume_with_other_options(self):
        before = {p.name: p.read_bytes() for p in self.finished.iterdir()}
        for options, name in ((("--splitter", 0.05, "--phase", 0.06), "splitter"),
                              ((*CHIPS, "--correction", "white-box-phases"), "correction"),
                              ((*CHIPS, "--chip-seed", 1), "chip_seed"),
                              ((*CHIPS, "--calibration", 0), "calibration")):
            self.rejected(*self.in_situ(self.finished, "--resume", *options, epochs=2), say=[name])
        self.assertEqual({p.name: p.read_bytes() for p in self.finished.iterdir()}, before)

    def test_resume_does_not_identify_again(self):
        out = self.folder / "run"
        checkpoint = out / "checkpoint.safetensors"
        command = self.in_situ(out, *CHIPS, "--identify", 3, "--resume", rule="in-silico")
        self.assertIn("identified from 96 samples", run(*command).stderr)
        held = tensors(checkpoint)
        again = run(*command)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertNotIn("identified", again.stderr)
        self.assertEqual(tensors(checkpoint), held)
        checkpoint.unlink()  # as if it had been killed before the first
        self.assertIn("identified from 96 samples", run(*command).stderr)
        self.assertEqual(tensors(checkpoint), held)

    def test_a_damaged_correction(self):
        out = self.copy()
        path = out / "checkpoint.safetensors"
        data = path.read_bytes().replace(b"correction.1.theta_offset", b"correction.1.theta_offsex")
        path.write_bytes(data.replace(b'"crc32":', b'"other":'))
        for command in ("evaluate", "info"):
            self.rejected(command, out, say=["correction.1.theta_offset"])

    def test_closed_standard_streams_are_not_its_connection(self):
        with Instrument(self.folder / "here", "--ports", PORTS, "--idle-ports", "bar") as instrument:
            command = [word for word in self.in_situ(self.folder / "run", "--instrument", instrument.address,
                                                     epochs=2) if word != "--quiet"]
            for closed in ("2>&-", "<&- 2>&-"):
                shutil.rmtree(self.folder / "run", ignore_errors=True)
                result = subprocess.run(["bash", "-c", f'exec "$0" "$@" {closed}', PROGRAM, *map(str, command)],
                                        stdout=subprocess.DEVNULL)
                self.assertEqual(result.returncode, 0)
                self.assertEqual(len(self.log(self.folder / "run")), 2)

    def test_instruments(self):
        self.nothing_of("--instrument", f"unix:{self.folder}/nobody", say=["RemoteSystem", "nobody"])
        self.nothing_of("--instrument", "nonsense", say=["unix:PATH"])
        self.nothing_of("--instrument", "unix:x", "--errors", "x", say=["--errors", "--instrument"])
        self.nothing_of("--instrument", "unix:x", "--splitter", 0.1, say=["--instrument", "--splitter"])
        self.nothing_of("--instrument", "unix:x", "--chip-seed", 1, say=["--instrument", "chip seed"])
        self.nothing_of("--instrument", "unix:x", "--correction", "exact", rule="in-silico", say=["--correction"])
        for number, (arguments, say) in enumerate((
                (("--ports", 8, "--idle-ports", "bar"), ['"ports":64', '"ports":8']),
                (("--ports", PORTS), ['"idle_port":"bar"', '"idle_port":"wire"']),
                (("--ports", PORTS, "--idle-ports", "bar", "--meshes", 2), ["2, one a stage", "3"]))):
            with Instrument(self.folder / str(number), *arguments) as instrument:
                self.nothing_of("--instrument", instrument.address, say=say)
        with Instrument(self.folder / "blind", "--ports", PORTS, "--idle-ports", "bar", "--no-monitors") as instrument:
            self.trained("output", "--instrument", instrument.address, rule="dat-output")
            for rule, options, needs in (("dat-unitary", (), "--rule dat-unitary"), ("at", (), "--rule at"),
                                         ("dat-separable", (), "--rule dat-separable"),
                                         ("in-silico", ("--identify", 2), "--identify")):
                self.nothing_of("--instrument", instrument.address, *options, rule=rule,
                                say=["monitors", needs, instrument.address, "dat-output"])


if __name__ == "__main__":
    main()
