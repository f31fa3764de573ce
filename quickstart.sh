#!/usr/bin/env bash
# From a fresh clone to a trained, exported and checked network: trains one hybrid network on the repository's MNIST
# subset by four rules, exports one of them as TorchScript, and runs the export without OptoTorch.
#
# What it writes lies in build/quickstart; a second run replaces it. Environment: see tools/setup.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=tools/setup.sh
source tools/setup.sh

cmake --build build --target optotorch_program --parallel "$(nproc)"

rm -rf build/quickstart
build/bin/optotorch reproduce four-rules --data-root data --out build/quickstart
build/bin/optotorch export build/quickstart/tpfp --out build/quickstart/model.pt \
  --examples build/quickstart/examples.safetensors
if [[ -n $OPTOTORCH_PYTHON ]]; then
  "$OPTOTORCH_PYTHON" tools/check_export.py build/quickstart/model.pt build/quickstart/examples.safetensors
else
  echo "quickstart: build/quickstart/model.pt is not checked in Python: no python3 with torch was found"
fi
