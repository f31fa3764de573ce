"""What a run leaves for others: its cost, its hardware's commands, ONNX, TensorBoard's files."""

import json

from program import ProgramTest, main, npy, npy_values, run, snapshot


class DeploymentTest(ProgramTest):
    MAKES_FINISHED = ("train", "--epochs", 2, "--quiet", "--rule", "bp", "--samples", 64, "--batch-size", 32, "--tensorboard")

    def test_cost(self):
        path = self.folder / "cost.json"
        result = run("info", self.finished, "--cost", "--json", path)
        self.assertEqual(result.returncode, 0, result.stderr)
        for word in ("loss", "laser", "energy", "area", "100 MZIs", "MziMesh"):
            self.assertIn(word, result.stdout)
        cost = json.loads(path.read_text())
        self.assertEqual(cost["footprint"]["MZIs"], 4950)
        self.assertEqual(cost["optical_multiply_adds"], 100 * 100)
        self.assertEqual(cost["electronic_multiply_adds"], 100 * 10)
        self.assertAlmostEqual(cost["total_energy_j"], sum(cost["energy_j"].values()))
        for component in cost["components"].values():
            for figure in component.values():
                self.assertTrue(figure["source"])

    def test_cost_by_figures_of_ones_own(self):
        # A louder signal wants more light: ten times the power for 10 dB of shot noise.
        own = self.folder / "own.json"
        kinds = ("MZIs", "phase shifters", "lenses", "modulators", "DACs", "ADCs")
        table = {kind: {} for kind in kinds}
        table["modulators"]["rate_hz"] = {"value": 1e9, "source": "a wish"}
        table["detectors"] = {"responsivity_a_per_w": {"value": 1, "source": "a wish"}}
        table["lasers"] = {"efficiency": {"value": 1, "source": "a wish"}}
        table["electronics"] = {}
        own.write_text(json.dumps({"format": "optotorch-components-1", "components": table}))
        watts = []
        for snr in (20, 30):
            result = run("info", self.finished, "--cost", "--components", own, "--snr-db", snr, "--json", self.folder / "c.json")
            self.assertEqual(result.returncode, 0, result.stderr)
            watts.append(json.loads((self.folder / "c.json").read_text())["lights"][0]["laser_w"])
        self.assertAlmostEqual(watts[1] / watts[0], 10, places=9)
        self.assertIn("unknown    loss_db of MZIs", result.stdout)
        del table["MZIs"]
        own.write_text(json.dumps({"format": "optotorch-components-1", "components": table}))
        self.rejected("info", self.finished, "--cost", "--components", own, say=["figures of 'MZIs'"])
        own.write_text("{")
        self.rejected("info", self.finished, "--cost", "--components", own, say=[str(own)])
        self.rejected("info", self.finished, "--json", own, say=["--cost beside it"])
        self.rejected("info", self.finished, "--cost", "--snr-db", 300, say=["--snr-db"])

    def test_program_of_phases(self):
        calibration = self.folder / "calibration.json"
        calibration.write_text(json.dumps({"format": "optotorch-calibration-1", "commands": {
            "theta": {"kind": "heater", "p_pi_mw": 25, "most_mw": 100}}}))
        out = self.folder / "program"
        result = run("export", self.finished, "--program", out, "--calibration", calibration)
        self.assertEqual(result.returncode, 0, result.stderr)
        program = json.loads((out / "program.json").read_text())
        self.assertEqual([stage["type"] for stage in program["stages"]], ["MziMesh"])
        for command in program["stages"][0]["commands"]:
            shape, phases = npy_values(out / command["file"])
            self.assertEqual(list(shape), command["shape"])
            if command["name"] == "theta":
                _, powers = npy_values(out / command["given"]["file"])
                for phase, power in zip(phases, powers, strict=True):
                    self.assertAlmostEqual(phase % (4 * 3.141592653589793), power / 25 * 3.141592653589793, places=9)
        before = snapshot(out)
        self.rejected("export", self.finished, "--program", out, say=["new or empty folder"])
        self.assertEqual(snapshot(out), before)
        npy(self.folder / "low.npy", (2,), [1, 2])
        calibration.write_text(json.dumps({"format": "optotorch-calibration-1", "commands": {
            "theta": {"kind": "heater", "p_pi_mw": 25, "most_mw": 0.001}}}))
        other = self.folder / "other"
        self.rejected("export", self.finished, "--program", other, "--calibration", calibration, say=["stage0, theta", "0.001 mW"])
        self.assertFalse(other.exists())
        self.rejected("export", self.finished, "--out", self.folder / "m.pt", "--calibration", calibration, say=["--program beside it"])

    def test_onnx(self):
        path = self.folder / "model.onnx"
        result = run("export", self.finished, "--onnx", path)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(b"OptoTorch", path.read_bytes())
        self.rejected("export", self.finished, "--onnx", self.folder / "absent" / "model.onnx", say=["absent"])
        self.rejected("export", self.finished, "--onnx", self.folder / "other.onnx", "--trainable", say=["--out beside it"])

    def test_tensorboard(self):
        folder = self.finished / "tensorboard"
        files = list(folder.iterdir())
        self.assertEqual(len(files), 1)
        data = files[0].read_bytes()
        for word in (b"loss/train", b"accuracy/test", b"parameters/1.theta", b"phases/1", b"confusion", b"learning_rate",
                     b"result/test accuracy", b"network/text_summary"):
            self.assertIn(word, data)
        copy = self.copy()
        self.assertEqual(run("train", "--out", copy, "--resume", "--epochs", 3, "--quiet", "--tensorboard").returncode, 0)
        self.assertEqual(len(list((copy / "tensorboard").iterdir())), 2)
        self.assertEqual(run("train", "--out", copy, "--resume", "--epochs", 4, "--quiet").returncode, 0)  # or not
        self.assertEqual(len(list((copy / "tensorboard").iterdir())), 2)


if __name__ == "__main__":
    main()
