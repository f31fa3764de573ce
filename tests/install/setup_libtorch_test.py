"""Where tools/setup.sh gets LibTorch from, with small wheels in indexes that are folders. Usage: SOURCE_DIR"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
import venv
import zipfile
from pathlib import Path

SOURCE = Path(sys.argv[1])
VERSION = "".join(f"#define TORCH_VERSION_{part} {value}\n" for part, value in
                  (("MAJOR", 2), ("MINOR", 13), ("PATCH", 0)))


def wheel(index, name, version, files):
    """A wheel in an index, by the simple repository layout."""
    folder = index / name
    folder.mkdir(parents=True, exist_ok=True)
    file = f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    with zipfile.ZipFile(folder / file, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"]))
    with open(folder / "index.html", "a") as page:
        page.write(f'<a href="{file.replace("+", "%2B")}">{file}</a><br>\n')


def torch(index, version, build):
    wheel(index, "torch", version,
          {"torch/__init__.py": "", "torch/build.txt": build,
           "torch/lib/libtorch_cpu.so": "\n" * (3_000_000 if build == "CUDA" else 10),
           "torch/include/torch/csrc/api/include/torch/torch.h": "",
           "torch/include/torch/headeronly/version.h": VERSION})


class SetupLibTorch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp()).resolve()
        cls.venv = cls.folder / "venv"
        venv.create(cls.venv, with_pip=True)
        (cls.site,) = cls.venv.glob("lib/python3*/site-packages")
        # Where pip is set up to look, and an index of builds for CPUs beside it.
        cls.usual, cls.cpu = cls.folder / "usual", cls.folder / "cpu"
        torch(cls.usual, "2.13.0", "CUDA")
        torch(cls.usual, "2.13.0+cu130", "CUDA")
        wheel(cls.usual, "numpy", "2.0.0", {"numpy/__init__.py": ""})
        torch(cls.cpu, "2.12.0+cpu", "old")
        torch(cls.cpu, "2.13.0", "none")
        torch(cls.cpu, "2.13.0+cpu", "CPU")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def setUp(self):
        for entry in self.site.glob("torch*"):
            shutil.rmtree(entry)

    def install(self, index, then=""):
        """What was installed and what was said."""
        environment = {k: v for k, v in os.environ.items()
                       if not k.startswith("PIP_") and k not in ("Torch_DIR", "CMAKE_PREFIX_PATH")}
        environment |= {"PATH": f"{self.venv}/bin:{os.environ['PATH']}", "PIP_CONFIG_FILE": os.devnull,
                        "PIP_INDEX_URL": self.usual.as_uri(), "OPTOTORCH_TORCH_INDEX": index}
        script = f"""
            set -euo pipefail
            say() {{ printf '%s\\n' "$*"; }}
            give_up() {{ printf 'gave up: %s\\n' "$@"; exit 1; }}
            optotorch_build='{self.folder}'
            source '{SOURCE}/tools/setup_libtorch.sh'
            optotorch_patience=1
            find_libtorch
            install_libtorch
            echo "found $optotorch_libtorch"
            {then}"""
        done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"found {self.site}/torch\n", done.stdout)
        return (self.site / "torch/build.txt").read_text(), done.stdout

    def falls_back(self, index):
        build, said = self.install(index)
        self.assertEqual(build, "CUDA", said)
        self.assertRegex(said, r"torch==2.13.0 from where pip is set up to look, \d files, 3 MB")
        self.assertIn("CMAKE_PREFIX_PATH=/path/to/libtorch", said)

    def test_builds_for_cpus_are_preferred(self):
        # A second time there is one: no index is asked.
        build, said = self.install(self.cpu.as_uri(), then="optotorch_torch_index=; install_libtorch")
        self.assertEqual(build, "CPU", said)
        self.assertIn(f"torch==2.13.0+cpu from {self.cpu.as_uri()}", said)
        self.assertNotIn("CMAKE_PREFIX_PATH", said)

    def test_an_index_that_is_not_there(self):
        self.falls_back((self.folder / "absent").as_uri())

    def test_an_index_without_this_version(self):
        torch(self.folder / "old", "2.12.0+cpu", "old")
        self.falls_back((self.folder / "old").as_uri())

    def test_an_index_that_does_not_answer(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            self.falls_back(f"http://127.0.0.1:{silent.getsockname()[1]}")

    def test_no_index(self):
        self.falls_back("")


unittest.main(argv=sys.argv[:1])
