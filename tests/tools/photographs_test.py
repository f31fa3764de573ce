"""A folder of photographs, transforms and workers: the same run for any number of workers, killed and resumed."""

import json
import random
import signal
import subprocess
import time

from program import PROGRAM, ProgramTest, main, run, tensors

TRAIN = [{"type": "RandomResizedCrop", "size": 16, "scale": [0.5, 1.0]}, {"type": "RandomHorizontalFlip"},
         {"type": "ColorJitter", "brightness": [0.8, 1.2]}]
TEST = [{"type": "Resize", "size": 18}, {"type": "CenterCrop", "size": 16}]


class PhotographsTest(ProgramTest):
    def photographs(self):
        """Red and blue pictures of sizes of their own."""
        numbers = random.Random(1)
        root = self.folder / "photographs"
        for part, count in (("train", 60), ("val", 20)):
            for kind in ("blue", "red"):
                folder = root / part / kind
                folder.mkdir(parents=True)
                for i in range(count):
                    width, height = numbers.randint(20, 40), numbers.randint(20, 40)
                    pixel = (lambda: (numbers.randint(0, 90), 40, numbers.randint(90, 255))) if kind == "blue" else (
                        lambda: (numbers.randint(90, 255), 40, numbers.randint(0, 90)))
                    pixels = bytes(value for _ in range(width * height) for value in pixel())
                    (folder / f"{i}.ppm").write_bytes(b"P6\n%d %d\n255\n" % (width, height) + pixels)
        return root

    def arguments(self, root, out, *more):
        return ["train", "--dataset", "image-folder", "--data-root", root, "--network", "optical-cnn", "--rule", "dfa",
                "--batch-size", "16", "--epochs", "3", "--transform", json.dumps(TRAIN), "--test-transform",
                json.dumps(TEST), "--out", out, *more]

    def ok(self, *arguments):
        result = run(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def weights(self, out):
        return tensors(out / "checkpoint.safetensors")

    def test_workers_and_interruptions_change_nothing(self):
        root = self.photographs()
        alone = self.folder / "alone"
        self.ok(*self.arguments(root, alone))
        config = json.loads((alone / "config.json").read_text())
        self.assertEqual(config["input"], [3, 16, 16])
        self.assertEqual([part["type"] for part in json.loads(config["transform"])],
                         ["RandomResizedCrop", "RandomHorizontalFlip", "ColorJitter"])
        together = self.folder / "together"
        self.ok(*self.arguments(root, together, "--workers", "3"))
        self.assertEqual(self.weights(together), self.weights(alone))

        killed = self.folder / "killed"
        process = subprocess.Popen([PROGRAM, *map(str, self.arguments(root, killed, "--workers", "2"))],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not (killed / "metrics.jsonl").exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.communicate()
        self.ok("train", "--out", killed, "--resume", "--workers", "1")
        self.assertEqual(self.weights(killed), self.weights(alone))
        self.assertIn("40 test images: accuracy", self.ok("evaluate", alone))
        self.ok("export", alone, "--out", self.folder / "model.pt")

    def test_network_says_its_transforms(self):
        root = self.photographs()
        network = json.loads(run("info", "--network", "optical-cnn").stdout)
        network["training"].update(transform=TRAIN, test_transform=TEST, dataset="image-folder")
        path = self.folder / "my.json"
        path.write_text(json.dumps(network))
        said, in_file = self.folder / "said", self.folder / "in-file"
        self.ok(*self.arguments(root, said))
        self.ok("train", "--data-root", root, "--network", path, "--rule", "dfa", "--batch-size", "16", "--epochs", "3",
                "--out", in_file)
        self.assertEqual(self.weights(in_file), self.weights(said))

    def test_errors_say_what_to_do(self):
        root = self.photographs()
        base = ["train", "--data-root", root, "--network", "optical-cnn", "--rule", "bp", "--out", self.folder / "out"]

        def refused(says, *arguments):
            result = run(*base, *arguments)
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertIn(says, result.stderr)

        refused("images of one size", "--dataset", "image-folder")
        refused("Did you mean 'image-folder'?", "--dataset", "image-foldr")
        refused("Did you mean 'RandomCrop'?", "--dataset", "image-folder", "--transform", '[{"type": "RandomCrp"}]')
        refused("--test-transform: expected transforms as JSON, or a file of it", "--test-transform", self.folder / "no")
        refused("torchvision.datasets.CIFAR10(root, download=True)", "--dataset", "cifar10")
        (root / "val" / "green").mkdir()
        (root / "val" / "green" / "0.ppm").write_bytes(b"P6\n1 1\n255\n\0\0\0")
        refused("the 2 classes of the training set", "--dataset", "image-folder", "--test-transform", json.dumps(TEST))


if __name__ == "__main__":
    main()
