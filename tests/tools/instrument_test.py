"""optotorch instrument, and examples/instrument.py, as a client meets them that was written from docs/instrument.md."""

import fcntl
import importlib.util
import json
import os
import random
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from program import DATA, PROGRAM, main, run

ROOT = Path(__file__).resolve().parents[2]
VERSION = struct.pack("<I", 3)
PHASES, FIELDS, DONE, READINGS, FAILURE = range(2, 7)


class Client:
    def __init__(self, address):
        family, _, place = address.partition(":")
        if family == "unix":
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(30)
            self.socket.connect(place)
        else:
            host, _, port = place.rpartition(":")
            self.socket = socket.create_connection((host, int(port)), timeout=30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def receive(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise ConnectionError(f"{len(data)} of {size} bytes")
            data += part
        return data

    def message(self):
        kind, length = struct.unpack("<IQ", self.receive(12))
        return kind, self.receive(length)

    def greeting(self):
        opening = self.receive(12)
        return opening, *self.message()

    def ask(self, kind, payload):
        self.socket.sendall(struct.pack("<IQ", kind, len(payload)) + payload)
        return self.message()


class InstrumentTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.file = self.folder / "instrument"
        self.address = f"unix:{self.file}"
        self.processes = []

    def tearDown(self):
        for process in self.processes:
            process.kill()
            process.communicate()
        shutil.rmtree(self.folder)

    def start(self, *command):
        process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def serve(self, *arguments, listen=None):
        """The process and its first line."""
        process = self.start(PROGRAM, "instrument", "--listen", listen or self.address, *arguments)
        return process, process.stdout.readline().strip()

    def test_says_what_it_serves_and_ends_when_told_to(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            process, line = self.serve("--ports", 6, "--meshes", 3)
            self.assertEqual(line, f"{self.address} serves 3 meshes of 6 ports, with monitors")
            for _ in range(2):
                with Client(self.address) as client:
                    opening, kind, payload = client.greeting()
                self.assertEqual((opening, kind), (b"optoinst" + VERSION, 1))
                said = json.loads(payload)
                self.assertEqual([stage["type"] for stage in said["stages"]], 3 * ["MziMesh"])
                self.assertEqual([layer["type"] for layer in said["between"]], 2 * ["ElectroOpticActivation"])
                self.assertEqual(process.stdout.readline(), "connected\n")
                self.assertTrue(process.stdout.readline().startswith("disconnected"))
            self.assertTrue(self.file.exists())
            process.send_signal(number)
            _, errors = process.communicate(timeout=30)
            self.assertEqual((process.returncode, errors), (0, ""))
            self.assertFalse(self.file.exists())

    def test_a_chosen_port_is_told(self):
        _, line = self.serve("--ports", 2, "--meshes", 1, "--no-monitors", listen="tcp:127.0.0.1:0")
        address, _, words = line.partition(" ")
        self.assertNotEqual(address, "tcp:127.0.0.1:0")
        self.assertEqual(words, "serves 1 mesh of 2 ports, without monitors")
        with Client(address) as client:
            self.assertIs(json.loads(client.greeting()[2])["monitors"], False)

    def test_wrong_words(self):
        (self.folder / "file").write_text("mine")
        for listen, say in (("instrument", "unix:PATH"), ("tcp:localhost", "tcp:HOST:PORT"),
                            (f"unix:{self.folder}/missing/x", "missing/x"), (f"unix:{self.folder}/file", "file"),
                            ("unix:" + 200 * "x", "bytes")):
            result = run("instrument", "--listen", listen)
            self.assertEqual((result.returncode, result.stdout), (2, ""))
            self.assertIn(say, result.stderr)
            self.assertNotIn("frame #", result.stderr)
        self.assertEqual((self.folder / "file").read_text(), "mine")
        for words in ((), ("--ports", 1), ("--meshes", 0), ("--splitter", 2), ("--phase", "nan")):
            listen = ("--listen", self.address) if words else ()
            self.assertEqual(run("instrument", *listen, *words).returncode, 2, words)
            self.assertFalse(self.file.exists())
        self.serve()
        self.assertIn(self.address, run("instrument", "--listen", self.address).stderr)
        self.assertTrue(self.file.exists())

    def test_a_client_that_is_not_one(self):
        process, _ = self.serve()
        with Client(self.address) as client:
            client.greeting()
            client.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
            with self.assertRaises(OSError):
                client.receive(1)
        self.assertEqual(process.stdout.readline(), "connected\n")
        self.assertIn("kind", process.stdout.readline())
        with Client(self.address) as client:
            client.greeting()
            self.assertEqual(client.ask(PHASES, b"")[0], FAILURE)

    def wait_for(self, condition):
        for _ in range(1200):
            if condition():
                return
            time.sleep(0.05)
        self.fail("it did not come about")

    def test_closed_standard_streams_are_not_its_socket(self):
        for closed in ("<&- >&- 2>&-", ">&-", "2>&-", "<&-"):
            with self.subTest(closed=closed):
                process = self.start("bash", "-c", f'exec "$0" "$@" {closed}', PROGRAM, "instrument", "--listen",
                                     self.address, "--ports", 2, "--meshes", 1)
                self.wait_for(self.file.exists)
                self.wait_for(self.connects)
                for _ in range(3):  # each is told of in the log
                    with Client(self.address) as client:
                        self.assertEqual(client.greeting()[:2], (b"optoinst" + VERSION, 1))
                        self.assertEqual(client.ask(PHASES, struct.pack("<I2d", 0, 0, 0)), (DONE, b""))
                process.terminate()
                process.communicate(timeout=60)
                self.assertEqual(process.returncode, 0)

    def connects(self):
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self.file)) == 0

    def test_a_log_that_nobody_reads(self):
        # A pipe without a reader, and one that is full.
        for gone in (True, False):
            with self.subTest(gone=gone):
                process, _ = self.serve("--ports", 2, "--meshes", 1)
                if gone:
                    process.stdout.close()
                else:
                    os.set_blocking(process.stdout.fileno(), False)
                    fcntl.fcntl(process.stdout.fileno(), fcntl.F_SETPIPE_SZ, 4096)
                for _ in range(20 if gone else 200):  # 5000 bytes
                    with Client(self.address) as client:
                        client.greeting()
                with Client(self.address) as client:
                    client.greeting()
                    self.assertEqual(client.ask(PHASES, struct.pack("<I2d", 0, 0, 0)), (DONE, b""))
                process.terminate()
                self.assertEqual(process.wait(timeout=60), 0)
                if not gone:
                    os.set_blocking(process.stdout.fileno(), True)
                    self.assertLessEqual(set(process.stdout), {"connected\n", "disconnected\n"})  # whole lines

    def test_a_silent_client_makes_way(self):
        self.serve("--ports", 2, "--meshes", 1, "--idle", 0.3)
        with Client(self.address) as silent, Client(self.address) as next_one:
            silent.greeting()
            self.assertEqual(next_one.greeting()[1], 1)
        self.assertIn("--idle", run("instrument", "--listen", f"{self.address}2", "--idle", 0).stderr)

    def test_the_file_of_its_socket_is_its_owner_s(self):
        process = self.start("bash", "-c", 'umask 0; exec "$0" "$@"', PROGRAM, "instrument", "--listen", self.address)
        process.stdout.readline()
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)

    def test_a_warning_where_other_hosts_reach_it(self):
        for listen, warns in (("tcp:0.0.0.0:0", True), ("tcp:127.0.0.1:0", False), (self.address, False)):
            process, line = self.serve("--ports", 2, "--meshes", 1, listen=listen)
            process.terminate()
            _, errors = process.communicate(timeout=60)
            self.assertEqual("warning" in errors and line.split()[0] in errors, warns, errors)
            self.assertEqual(errors.count("\n"), warns)

    def test_the_example_of_the_document(self):
        lines = (ROOT / "docs/instrument.md").read_text().splitlines()
        steps = []  # (direction, bytes)
        for line in lines:
            if line[:2] in ("< ", "> "):
                step = line[2:].encode() if line[2] == "{" else bytes.fromhex(line[2:57])
                if steps and steps[-1][0] == line[0]:
                    step = steps.pop()[1] + step
                steps.append((line[0], step))
        self.assertEqual([direction for direction, _ in steps], ["<", ">", "<", ">", "<"])
        self.serve("--ports", 2, "--meshes", 1, "--no-monitors")
        with Client(self.address) as client:
            for direction, step in steps:
                if direction == ">":
                    client.socket.sendall(step)
                    continue
                heard = client.receive(len(step))
                if step is steps[-1][1]:
                    for value, expected in zip(struct.unpack("<2f", heard[-8:]), (0.25, 1)):
                        self.assertAlmostEqual(value, expected, places=6)
                    heard, step = heard[:-8], step[:-8]
                self.assertEqual(heard, step)

    @unittest.skipUnless(importlib.util.find_spec("numpy"), "no numpy")
    def test_the_program_trains_through_the_python_instrument(self):
        # The commands of the README, on some of its images.
        readme = (ROOT / "README.md").read_text().replace("\\\n", " ")
        def command(begin, end):
            (line,) = [line for line in readme.splitlines() if line.startswith(begin) and end in line]
            return shlex.split(line.replace("unix:/tmp/instrument", self.address))
        serve = command("python3 examples/instrument.py", "")
        self.start(sys.executable, ROOT / serve[1], *serve[2:])
        self.wait_for(self.connects)
        train = command("build/bin/optotorch train", "--instrument")[1:]
        self.assertEqual(train[train.index("--data-root") + 1], "data")
        train[train.index("--data-root") + 1] = DATA
        out = self.folder / "run"
        train[train.index("--out") + 1] = out
        result = run(*train, "--samples", 200, "--epochs", 2, "--quiet")
        self.assertEqual(result.returncode, 0, result.stderr)
        # Perfect chips here learn the same.
        place = train.index("--instrument")
        del train[place : place + 2]
        train[train.index("--out") + 1] = self.folder / "here"
        self.assertEqual(run(*train, "--samples", 200, "--epochs", 2, "--quiet").returncode, 0)
        logs = [[json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
                for folder in (out, self.folder / "here")]
        self.assertEqual([len(log) for log in logs], [2, 2])
        for there, here in zip(*logs):
            self.assertAlmostEqual(there["train_loss"], here["train_loss"], places=3)
            # Nothing to learn from a perfect chip here; from one behind a cable, rounding, which Adam steps by its sign.
            self.assertAlmostEqual(here["measures"]["similarity_loss"], 0, places=3)
            self.assertAlmostEqual(there["measures"]["similarity_loss"], 0, delta=1.5e-3)

    @unittest.skipUnless(importlib.util.find_spec("numpy"), "no numpy")
    def test_another_nonlinearity_than_the_model_s_is_refused(self):
        text = (ROOT / "examples/instrument.py").read_text()
        other = self.folder / "other.py"
        other.write_text(text.replace("0.05 * np.pi, np.pi", "0.07 * np.pi, np.pi"))
        self.start(sys.executable, other, "--listen", self.address, "--idle-ports", "bar")
        self.wait_for(self.connects)
        result = run("train", "--data-root", DATA, "--network", "mpnn-in-situ", "--rule", "dat-unitary", "--samples", 100,
                     "--instrument", self.address, "--out", self.folder / "run")
        self.assertEqual(result.returncode, 2)
        for word in ("PhysicalNetwork: activation", '"gain":0.2199', "got {", '"gain":0.15707'):
            self.assertIn(word, result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertFalse((self.folder / "run").exists())

    @unittest.skipUnless(importlib.util.find_spec("numpy"), "no numpy")
    def test_the_python_instrument_reads_what_the_program_reads(self):
        ports, meshes, samples, mzis = 5, 3, 4, 10
        numbers = random.Random(1)
        values = lambda count: [numbers.uniform(-3, 3) for _ in range(count)]
        phases = b"".join(struct.pack(f"<I{screen * ports + 2 * mzis}d", screen, *values(screen * ports + 2 * mzis))
                          for screen in (1, 0, 1))
        light = values(2 * samples * ports)
        other = self.folder / "other"
        self.serve("--ports", ports, "--meshes", meshes)
        self.start(sys.executable, ROOT / "examples/instrument.py", "--listen", f"unix:{other}", "--ports", ports,
                   "--meshes", meshes)
        for _ in range(300):
            if other.exists():
                break
            time.sleep(0.1)
        time.sleep(0.5)  # between bind and listen
        for size, letter, tolerance in ((8, "f", 1e-4), (16, "d", 1e-11)):
            heard = []
            for address in (self.address, f"unix:{other}"):
                with Client(address) as client:
                    greeting = client.greeting()
                    head = struct.pack("<4I", size, 1, samples, ports)
                    fields = head + struct.pack(f"<{len(light)}{letter}", *light)
                    self.assertEqual(client.ask(FIELDS, fields)[0], FAILURE)  # before phases
                    self.assertEqual(client.ask(PHASES, phases + b"x")[0:1], (FAILURE,))
                    self.assertEqual(client.ask(PHASES, phases), (DONE, b""))
                    kind, payload = client.ask(FIELDS, fields)
                    self.assertEqual((kind, payload[:16]),
                                     (READINGS, struct.pack("<4I", size // 2, meshes, samples, meshes * ports)))
                    readings = struct.unpack(f"<{meshes * samples * ports}{letter}", payload[16:])
                    heard.append((greeting[:2], json.loads(greeting[2]), readings))
            (opening, said, readings), (other_opening, other_said, other_readings) = heard
            self.assertEqual(opening, other_opening)
            self.assertEqual([stage["options"] for stage in said["stages"]],
                             [stage["options"] for stage in other_said["stages"]])
            self.assertLess(max(abs(a - b) for a, b in zip(readings, other_readings)), tolerance)


if __name__ == "__main__":
    main()
