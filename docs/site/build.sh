#!/usr/bin/env bash
# Builds the documentation site, build/site/html: the manual, and every public header. A warning is an error.
#
# Needs doxygen and python3; Sphinx and its themes come into an environment of their own, build/site/venv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

command -v doxygen >/dev/null || {
  echo "site: doxygen is missing: apt-get install doxygen" >&2
  exit 1
}
mkdir -p build/site
if [[ ! -x build/site/venv/bin/sphinx-build ]]; then
  python3 -m venv build/site/venv
  build/site/venv/bin/pip install --quiet "sphinx==9.*" breathe myst-parser furo
fi
rm -rf build/site/doxygen build/site/source build/site/html
mkdir -p build/site/doxygen
doxygen docs/site/Doxyfile
python3 docs/site/generate.py . build/site/doxygen/xml build/site/source
build/site/venv/bin/sphinx-build -W --keep-going -q -c docs/site -b html build/site/source build/site/html
echo "site: build/site/html/index.html"
