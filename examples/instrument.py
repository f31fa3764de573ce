"""An instrument in Python, written from docs/instrument.md: perfect rectangular meshes with the electro-optic
nonlinearity between them. In a laboratory, `command` and `measure` drive the hardware instead.

    python3 instrument.py --listen unix:/tmp/instrument --ports 64 --meshes 3 --idle-ports bar

is what the network mpnn-in-situ of `optotorch train` asks for."""

import argparse
import json
import socket
import struct

import numpy as np

GREETING, COMMANDS, FIELDS, DONE, READINGS, FAILURE = range(1, 7)
SAMPLES = 4096  # the most in one message
IDLE_PORTS = {"wire": 1, "bar": -1j}  # what light meets at a port without an MZI in a column
TAP, GAIN, BIAS = 0.1, 0.05 * np.pi, np.pi  # of the nonlinearity between the meshes


class Meshes:
    """docs/conventions.md, the default layout but for the idle ports: phi on the output arms, cross at zero."""

    def __init__(self, ports, meshes, idle_ports):
        self.ports, self.meshes, self.idle_ports = ports, meshes, idle_ports
        self.columns = 1 if ports == 2 else ports
        self.uppers = [np.arange(c % 2, ports - 1, 2) for c in range(self.columns)]
        self.mzis = sum(map(len, self.uppers))
        self.matrices = None

    def command(self, phases):
        self.matrices = [self.matrix(*mesh) for mesh in phases]

    def matrix(self, theta, phi, gamma):
        u, first = np.diag(np.exp(1j * gamma)), 0
        for upper in self.uppers:
            t, p = theta[first : first + len(upper), None] / 2, np.exp(1j * phi[first : first + len(upper), None])
            a, b = u[upper], u[upper + 1]
            u[upper], u[upper + 1] = 1j * p * (np.sin(t) * a + np.cos(t) * b), 1j * (np.cos(t) * a - np.sin(t) * b)
            u[np.setdiff1d(range(self.ports), (upper, upper + 1))] *= IDLE_PORTS[self.idle_ports]
            first += len(upper)
        return u

    def measure(self, x):
        readings = []
        for number, matrix in enumerate(self.matrices):
            if number > 0:
                p = (GAIN * np.abs(x) ** 2 + BIAS) / 2
                x = np.sqrt(1 - TAP) * np.cos(p) * np.exp(-1j * p) * x
            x = x @ matrix.T
            readings.append(np.abs(x) ** 2)
        return readings


def receive(client, size):
    data = bytearray()
    while len(data) < size:
        part = client.recv(min(size - len(data), 1 << 20))
        if not part:
            raise ConnectionError("the client is gone")
        data += part
    return bytes(data)


def send(client, kind, payload=b""):
    client.sendall(struct.pack("<IQ", kind, len(payload)) + payload)


def read_phases(system, data):
    """For each mesh its commands in alphabetical order: gamma, which may be left out, phi, theta."""
    phases = []
    for _ in range(system.meshes):
        screen, data = struct.unpack("<I", data[:4])[0], data[4:]
        lengths = (system.ports if screen else 0, system.mzis, system.mzis)
        values = np.frombuffer(data[: 8 * sum(lengths)], "<f8")
        gamma, phi, theta = np.split(values, np.cumsum(lengths)[:2])
        phases.append((theta, phi, gamma if screen else np.zeros(system.ports)))
        data = data[8 * sum(lengths) :]
    if data or not all(np.isfinite(values).all() for mesh in phases for values in mesh):
        raise ValueError("commands: of other meshes, or not finite")
    return phases


def answer(system, kind, data):
    if kind == COMMANDS:
        system.command(read_phases(system, data))
        return DONE, b""
    size, one, samples, ports = struct.unpack("<4I", data[:16])
    if system.matrices is None or size not in (8, 16) or (one, ports) != (1, system.ports):
        raise ValueError("fields: before commands, or of another type or shape")
    x = np.frombuffer(data[16:], f"<c{size}").reshape(samples, ports)
    readings = np.stack(system.measure(x)).astype(f"<f{size // 2}")
    return READINGS, struct.pack("<4I", size // 2, system.meshes, samples, system.meshes * ports) + readings.tobytes()


def greeting(system):
    options = {"ports": system.ports, "columns": system.columns, "grid": "rectangular", "phi_arm": "output",
               "zero_state": "cross", "idle_port": system.idle_ports}
    commands = {"theta": {"shape": [system.mzis]}, "phi": {"shape": [system.mzis]},
                "gamma": {"shape": [system.ports], "required": False}}
    mesh = {"type": "MziMesh", "options": options, "input": [system.ports], "output": [system.ports],
            "commands": commands}
    nonlinearity = {"type": "ElectroOpticActivation", "tap": TAP, "gain": GAIN, "bias": BIAS}
    return json.dumps({"samples": SAMPLES, "monitors": True, "stages": system.meshes * [mesh],
                       "between": (system.meshes - 1) * [nonlinearity]}).encode()


def attend(client, system):
    client.sendall(b"optoinst" + struct.pack("<I", 3))
    send(client, GREETING, greeting(system))
    longest = {COMMANDS: system.meshes * (4 + 8 * (2 * system.mzis + system.ports)),
               FIELDS: 16 + 16 * SAMPLES * system.ports}
    system.matrices = None
    while True:
        kind, length = struct.unpack("<IQ", receive(client, 12))
        if length > longest.get(kind, -1):
            raise ConnectionError(f"a message of kind {kind} with {length} bytes")
        data = receive(client, length)
        try:
            send(client, *answer(system, kind, data))
        except (ValueError, struct.error) as error:
            system.matrices = None
            send(client, FAILURE, str(error).encode())


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--listen", required=True, help="unix:PATH or tcp:HOST:PORT")
parser.add_argument("--ports", type=int, default=64)
parser.add_argument("--meshes", type=int, default=3)
parser.add_argument("--idle-ports", choices=IDLE_PORTS, default="wire")
arguments = parser.parse_args()
family, _, place = arguments.listen.partition(":")
if family == "unix":
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(place)
else:
    host, _, port = place.rpartition(":")
    listener = socket.create_server((host, int(port)))
listener.listen()
while True:
    with listener.accept()[0] as client:
        try:
            attend(client, Meshes(arguments.ports, arguments.meshes, arguments.idle_ports))
        except OSError as error:
            print(error, flush=True)
