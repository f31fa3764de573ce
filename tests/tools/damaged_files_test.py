"""Damaged data, checkpoints and configurations: one error, and nothing is changed."""

import json
import shutil
import struct

from program import ProgramTest, idx, main, run, snapshot, tiny_mnist


def without_checksum(data):
    """A checkpoint that is believed until its content is looked at."""
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    del header["__metadata__"]["crc32"]
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


class DamagedFilesTest(ProgramTest):
    def test_no_data(self):
        self.rejected(*self.train(self.folder / "run", data=self.folder), say=["train-images-idx3-ubyte"])
        self.assertFalse((self.folder / "run").exists())

    def test_damaged_data(self):
        images, labels = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
        pixels = bytes(256 * 784)
        cases = {
            "truncated": lambda raw: (raw / images).write_bytes((raw / images).read_bytes()[:500]),
            "empty": lambda raw: (raw / images).write_bytes(b""),
            "oversized": lambda raw: idx(raw / images, (256, 28, 28), pixels + b"more"),
            "promises too much": lambda raw: idx(raw / images, (2**31, 2**15, 2**15), pixels),
            "labels where images belong": lambda raw: shutil.copy(raw / labels, raw / images),
            "another type": lambda raw: idx(raw / images, (256, 28, 28), pixels * 4, magic=0x0D03),
            "no idx file": lambda raw: (raw / images).write_bytes(b"hello world, this is text"),
            "fewer labels": lambda raw: idx(raw / labels, (255,), bytes(255)),
            "label 11": lambda raw: idx(raw / labels, (256,), bytes([11] * 256)),
            "no images": lambda raw: (idx(raw / images, (0, 28, 28), b""), idx(raw / labels, (0,), b"")),
        }
        for name, damage in cases.items():
            with self.subTest(name):
                data = tiny_mnist(self.folder / name)
                damage(data / "MNIST/raw")
                out = self.folder / (name + " run")
                self.rejected(*self.train(out, data=data), say=["train-"])
                self.assertFalse(out.exists())

    def test_damaged_checkpoints(self):
        whole = (self.finished / "checkpoint.safetensors").read_bytes()
        data = without_checksum(whole)
        length = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8 : 8 + length])

        def with_header(change):
            changed = json.loads(json.dumps(header))
            change(changed)
            text = json.dumps(changed).encode()
            return struct.pack("<Q", len(text)) + text + data[8 + length :]

        def begin_of(name):
            return 8 + length + header[name]["data_offsets"][0]

        theta = begin_of("model/1.theta")
        cases = {
            "truncated": data[:-100],
            "longer": data + b"more",
            "empty": b"",
            "seven bytes": data[:7],
            "huge header": struct.pack("<Q", 2**60) + data[8:],
            "no json": data[:8] + b"x" * length + data[8 + length :],
            "huge shape": with_header(lambda h: h["model/1.theta"].update(shape=[2**40, 2**40])),
            "other shape": with_header(lambda h: h["model/1.theta"].update(shape=[9, 550])),
            "other type": with_header(lambda h: h["model/1.theta"].update(dtype="I32")),
            "unknown type": with_header(lambda h: h["model/1.theta"].update(dtype="X9")),
            "overlap": with_header(lambda h: h["model/1.theta"].update(data_offsets=h["model/1.phi"]["data_offsets"])),
            "outside": with_header(lambda h: h["model/1.theta"].update(data_offsets=[2**50, 2**50 + 4 * 4950])),
            "missing": with_header(lambda h: h.update({"model/1.other": h.pop("model/1.theta")})),
            "no format": with_header(lambda h: h["__metadata__"].pop("format")),
            "NaN phase": data[:theta] + struct.pack("<f", float("nan")) + data[theta + 4 :],
            "a pickle": b"\x80\x04\x95" + data[3:],
            "one bit": whole[:-1] + bytes([whole[-1] ^ 1]),
        }
        for name, content in cases.items():
            with self.subTest(name):
                copy = self.copy()
                (copy / "checkpoint.safetensors").write_bytes(content)
                before = snapshot(copy)
                commands = [("evaluate", copy), self.train(copy, "--resume"), ("info", copy),
                            ("export", copy, "--out", self.folder / "m.pt")]
                for arguments in commands[: 4 if name in ("truncated", "other shape") else 2]:
                    self.rejected(*arguments)
                self.assertEqual(snapshot(copy), before)
                self.assertFalse((self.folder / "m.pt").exists())

    def test_damaged_optimiser_state(self):
        whole = (self.finished / "checkpoint.safetensors").read_bytes()
        data = without_checksum(whole)
        length = struct.unpack("<Q", data[:8])[0]
        for name, change in {
            "no tree": lambda h: h["__metadata__"].update(optimizer=""),
            "another optimiser": lambda h: h["__metadata__"].update(
                optimizer=h["__metadata__"]["optimizer"].replace("amsgrad", "nesterov")),
            "no position": lambda h: h["__metadata__"].pop("progress/trainer"),
            "another rule": lambda h: h["__metadata__"].update(rule="dfa"),
        }.items():
            with self.subTest(name):
                header = json.loads(data[8 : 8 + length])
                change(header)
                text = json.dumps(header).encode()
                copy = self.copy()
                (copy / "checkpoint.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
                self.rejected(*self.train(copy, "--resume"))

    def test_checkpoint_of_another_network(self):
        other = self.folder / "other"
        self.assertEqual(run(*self.train(other, "--network", "mnist-weight-bank")).returncode, 0)
        copy = self.copy()
        shutil.copy(other / "checkpoint.safetensors", copy / "checkpoint.safetensors")
        self.rejected("evaluate", copy, say=["another network"])
        self.rejected(*self.train(copy, "--resume"), say=["another network"])

    def test_damaged_configuration(self):
        for text in ("", "{", "[]", "{}", '{"dataset": 3}'):
            copy = self.copy()
            (copy / "config.json").write_text(text)
            self.rejected("evaluate", copy, say=["config.json"])
        copy = self.copy()
        config = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps(config | {"rule": "tpfpp"}))
        self.rejected("evaluate", copy, say=["tpfp"])

    def test_no_torchscript(self):
        file = self.folder / "file.pt"
        file.write_bytes(b"text")
        self.rejected("info", file, say=["TorchScript"])


if __name__ == "__main__":
    main()
