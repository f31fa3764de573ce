"""The command `optotorch`: the program, beside the torch of this Python."""

import os
import pathlib
import sys

import torch

from optotorch._build import torch_version
from optotorch._library import check


def main():
    check(torch.__version__, torch_version)
    program = pathlib.Path(__file__).parent / "bin" / "optotorch"
    libraries = str(pathlib.Path(torch.__file__).parent / "lib")
    searched = os.environ.get("LD_LIBRARY_PATH")
    environment = {**os.environ, "LD_LIBRARY_PATH": f"{libraries}:{searched}" if searched else libraries}
    try:
        os.execve(program, [str(program), *sys.argv[1:]], environment)
    except OSError as error:
        sys.exit(f"optotorch: program: expected {program} to start, got {error.strerror}. Install the package again")
