#!/usr/bin/env bash
# Builds the wheel of the Python package into build/wheel and tries it in a fresh environment beside this Python's torch.
#
# Needs a Python with torch 2.13, numpy and scikit-build-core, and the libraries of tools/setup.sh. Reads PYTHON, the
# Python (default: python3).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-python3}
site=$("$python" -c 'import pathlib, torch; print(pathlib.Path(torch.__file__).parent.parent)')

rm -rf build/wheel
CMAKE_PREFIX_PATH=$site/torch "$python" -m pip wheel --no-build-isolation --no-deps . --wheel-dir build/wheel
wheels=(build/wheel/*.whl)
echo "check_wheel: ${wheels[0]}, $(stat -c %s "${wheels[0]}") bytes"

# Its own environment, which sees that torch and nothing else of this tree.
"$python" -m venv build/wheel/venv
fresh=build/wheel/venv/bin/python
echo "$site" >"$("$fresh" -c 'import site; print(site.getsitepackages()[0])')/torch.pth"
"$fresh" -m pip install --quiet --no-deps "${wheels[0]}"
cd build/wheel
venv/bin/python - <<'END'
import pathlib
import subprocess
import sys

import torch

import optotorch
from optotorch import nn

package = pathlib.Path(optotorch.__file__).parent
assert "wheel" in str(package), package
libraries = sorted(path.name for path in package.rglob("liboptotorch*"))
assert libraries == ["liboptotorch.so"], libraries

net = torch.nn.Sequential(nn.MziMesh(8), nn.Photodetector(), torch.nn.Linear(8, 2))
net(torch.randn(3, 8, dtype=torch.complex64)).sum().backward()
assert net[0].theta.grad is not None

program = pathlib.Path(sys.executable).parent / "optotorch"
print(subprocess.run([program, "info", "--network", "mnist-hybrid"], check=True, capture_output=True, text=True)
      .stdout.splitlines()[0])
assert (package / "lib/cmake/OptoTorch/OptoTorchConfig.cmake").exists()
assert (package / "include/optotorch/optotorch.h").exists()
END
cd ../..
package=$("$fresh" -c 'import optotorch, pathlib; print(pathlib.Path(optotorch.__file__).parent)')
OPTOTORCH_LIBRARY=$package/lib/liboptotorch.so OPTOTORCH_LIBTORCH=$site/torch OPTOTORCH_NETWORKS=networks OPTOTORCH_DATA=data \
  OPTOTORCH_PROGRAM=build/wheel/venv/bin/optotorch \
  "$fresh" tests/python/package_test.py
"$fresh" examples/13_in_python.py data
echo "check_wheel: the wheel works in a fresh environment, and passes the tests of the package"
