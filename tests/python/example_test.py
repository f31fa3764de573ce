"""examples/13_in_python.py, which checks its own results."""

import os
import runpy
import sys
from pathlib import Path

from operators import skip, torch

try:
    import optotorch  # noqa: F401
except ImportError as error:
    skip(f"{sys.executable}: {error}")

torch.set_num_threads(1)
sys.argv = ["13_in_python.py", os.environ["OPTOTORCH_DATA"]]
runpy.run_path(str(Path(__file__).parents[2] / "examples/13_in_python.py"), run_name="__main__")
