"""Trainings through an instrument that fails, reads NaN, hangs up or says nothing, and what is done without it."""

import json
import signal
import socket
import struct
import subprocess
import threading
import time

from program import PROGRAM, Instrument, ProgramTest, main, npy_values, run, tensors

CHIPS = ("--splitter", 0.06, "--phase", 0.06)
FIELDS, READINGS, FAILURE = 3, 5, 6


class Lossy:
    """Stands between a client and an instrument, and does to its readings what `faults` says: {3: "nan"} for those of
    the fourth message of fields, counted over all connections."""

    def __init__(self, file, upstream, faults):
        self.address, self.upstream, self.faults = f"unix:{file}", upstream.removeprefix("unix:"), faults
        self.measured = 0
        self.silent = threading.Event()  # it said nothing, once
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(file))
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            with client, socket.socket(socket.AF_UNIX) as system:
                system.connect(self.upstream)
                try:
                    client.sendall(self.receive(system, 12) + self.message(system))
                    while self.pass_on(client, system):
                        pass
                except OSError:
                    pass

    def receive(self, sender, size):
        data = b""
        while len(data) < size:
            part = sender.recv(size - len(data))
            if not part:
                raise ConnectionError
            data += part
        return data

    def message(self, sender):
        head = self.receive(sender, 12)
        return head + self.receive(sender, struct.unpack("<Q", head[4:])[0])

    def pass_on(self, client, system):
        """Whether the connection goes on."""
        asked = self.message(client)
        is_measurement = struct.unpack("<I", asked[:4])[0] == FIELDS
        fault = self.faults.get(self.measured) if is_measurement else None
        self.measured += is_measurement
        if fault == "silence":
            self.silent.set()
            client.recv(1)  # until the client has gone
            return False
        if fault == "end":
            return False
        system.sendall(asked)
        answer = self.message(system)
        if fault == "failure":
            text = b"the laser is off"
            answer = struct.pack("<IQ", FAILURE, len(text)) + text
        if fault == "nan":
            answer = answer[:-4] + struct.pack("<f", float("nan"))
        client.sendall(answer)
        return True


class LossyLaboratoryTest(ProgramTest):
    IN_SITU = ("--network", "mpnn-in-situ", "--rule", "dat-unitary", "--batch-size", 32)  # 8 measurements an epoch
    INSTRUMENT = ("--ports", 64, "--meshes", 3, "--idle-ports", "bar", *CHIPS)
    MAKES_FINISHED = ("train", *IN_SITU, *CHIPS, "--epochs", 2, "--quiet")
    MESHES = 3

    def setUp(self):
        super().setUp()
        self.instrument = Instrument(self.folder / "system", *self.INSTRUMENT)
        self.out = self.folder / "run"

    def tearDown(self):
        self.instrument.kill()

    def lossy(self, faults):
        return Lossy(self.folder / f"lossy{len(list(self.folder.iterdir()))}", self.instrument.address, faults)

    def in_situ(self, place, *arguments, rule="dat-unitary"):
        words = (rule if word == "dat-unitary" else word for word in self.IN_SITU)
        return self.train(self.out, *words, "--instrument", place.address, *arguments)

    def ends_like_one_without_losses(self):
        self.assertEqual(tensors(self.out / "checkpoint.safetensors"), tensors(self.finished / "checkpoint.safetensors"))

    def test_what_is_lost_is_measured_again(self):
        place = self.lossy({1: "failure", 4: "nan", 6: "end", 9: "failure", 10: "nan", 11: "nan", 20: "end"})
        result = run(*self.in_situ(place))
        self.assertEqual(result.returncode, 0, result.stderr)
        for words in ("the laser is off", "NaN at sample 31, port 63", "behind stage 2", "1 of 3 times", "3 of 3 times",
                      "end of the connection", "it is there again"):
            self.assertIn(words, result.stderr)
        self.ends_like_one_without_losses()

    def test_an_error_leaves_a_checkpoint_to_go_on_from(self):
        for fault, options, says in (("failure", ("--retries", 0), "the laser is off"),
                                     ("nan", ("--retries", 0), "NaN at sample 31, port 63, of batch 5"),
                                     ("end", ("--reconnect", 0), "end of the connection")):
            with self.subTest(fault=fault):
                place = self.lossy({5: fault})
                said = self.rejected(*self.in_situ(place, *options), say=[says])
                self.assertNotIn("Tried again", said)
                self.assertIn(f"continue with: {PROGRAM} train --out {self.out} --resume", said)
                self.assertTrue((self.out / "checkpoint.safetensors").exists())
                # The instrument is found elsewhere now, and nothing else need be said.
                result = run("train", "--out", self.out, "--resume", "--quiet", "--instrument", self.instrument.address)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertIn("continued", result.stdout)
                self.ends_like_one_without_losses()
                self.remove_run()

    def remove_run(self):
        for path in self.out.iterdir():
            path.unlink()
        self.out.rmdir()

    def test_told_to_end_while_the_instrument_is_silent(self):
        # In calibration, in evaluation behind it, and in a step of training.
        for number in (2, 8, 12):
            with self.subTest(number=number):
                place = self.lossy({number: "silence"})
                self.ends_when_told(place, self.in_situ(place))
                self.assertTrue((self.out / "checkpoint.safetensors").exists())
                result = run("train", "--out", self.out, "--resume", "--quiet")
                self.assertEqual(result.returncode, 0, result.stderr)
                self.ends_like_one_without_losses()
                self.remove_run()

    def ends_when_told(self, place, command):
        process = subprocess.Popen([PROGRAM, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        self.assertTrue(place.silent.wait(100))
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=50)  # a measurement may take 60 s
        self.assertEqual(process.returncode, 130, errors)
        self.assertIn("--resume", output)
        self.assertEqual(errors, "")

    def test_told_to_end_while_errors_are_identified(self):
        place = self.lossy({2: "silence"})
        command = self.in_situ(place, "--identify", 4, rule="in-silico")
        self.ends_when_told(place, command)
        self.assertFalse((self.out / "checkpoint.safetensors").exists())
        result = run("train", "--out", self.out, "--resume", "--quiet")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("identified", result.stderr)

    def test_what_needs_no_instrument(self):
        self.assertEqual(run(*self.in_situ(self.instrument)).returncode, 0)
        self.ends_like_one_without_losses()
        self.instrument.kill()
        local, here = (run("info", out).stdout for out in (self.finished, self.out))
        self.assertEqual(here.split("layer")[1], local.split("layer")[1])
        self.assertIn("PhysicalNetwork", here)
        self.rejected("export", self.out, "--out", self.folder / "model.pt", say=["--phases"])
        phases = self.folder / "phases"
        self.assertIn("3 meshes", run("export", self.out, "--phases", phases).stdout)
        self.assertEqual(len(list(phases.glob("*.npy"))), 3 * self.MESHES)
        held = tensors(self.out / "checkpoint.safetensors")
        for mesh in range(self.MESHES):
            for name, shape in (("theta", (64, 32)), ("phi", (64, 32)), ("gamma", (64,))):
                got_shape, values = npy_values(phases / f"mesh{mesh}_{name}.npy")
                self.assertEqual(got_shape, shape)
                (key,) = [key for key in held if key.startswith("model/") and key.endswith(f"{mesh}.{name}")]
                if name != "gamma":
                    values = [values[column * 32 + slot] for column in range(64) for slot in range(32 - column % 2)]
                self.assertEqual(struct.pack(f"<{len(values)}f", *values), held[key][2])
        # Both are what another run begins with.
        starts = []
        for number, start in enumerate((phases, self.out)):
            out = self.folder / f"begun{number}"
            self.assertEqual(run(*self.train(out, *self.IN_SITU, *CHIPS, "--seed", 4, "--start", start, epochs=1))
                             .returncode, 0)
            starts.append({key: value for key, value in tensors(out / "checkpoint.safetensors").items()
                           if key.startswith("model/")})
        self.assertEqual(*starts)
        before = {path: path.read_bytes() for path in phases.iterdir()}
        self.rejected("export", self.out, "--phases", phases, say=["empty", str(phases)])
        self.assertEqual({path: path.read_bytes() for path in phases.iterdir()}, before)
        self.rejected("export", self.out, say=["--out", "--phases"])

    def test_phases_of_other_networks(self):
        for model, meshes in (("mnist-hybrid", 1), ("slices-columns", 56)):
            out, phases = self.folder / model, self.folder / f"{model}-phases"
            self.assertEqual(run(*self.train(out, "--network", model, "--rule", "bp", "--samples", 100, epochs=1))
                             .returncode, 0)
            self.assertIn(f"{meshes} mesh", run("export", out, "--phases", phases).stdout)
            again = self.folder / f"{model}-again"
            result = run(*self.train(again, "--network", model, "--rule", "bp", "--samples", 100, "--start", phases,
                                     "--lr", 1e-30, epochs=1))
            self.assertEqual(result.returncode, 0, result.stderr)
            ours, theirs = tensors(out / "checkpoint.safetensors"), tensors(again / "checkpoint.safetensors")
            for key in ours:
                if key.startswith("model/") and key.endswith((".theta", ".phi", ".gamma")):
                    self.assertEqual(ours[key], theirs[key], key)
        out = self.folder / "electronic"
        self.assertEqual(run(*self.train(out, "--network", "mnist-mlp", "--rule", "bp", "--samples", 100, epochs=1))
                         .returncode, 0)
        self.rejected("export", out, "--phases", self.folder / "none", say=["--phases", "meshes"])
        self.assertFalse((self.folder / "none").exists())


if __name__ == "__main__":
    main()
