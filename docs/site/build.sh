#!/usr/bin/env bash
# Builds the documentation site, build/site/html: the manual, every public header, and a gallery of experiments. A
# warning is an error, and so is a public name without a word.
#
#   docs/site/build.sh [FOLDER...]      FOLDER: what `optotorch reproduce` wrote, for the gallery
#
# Where the program is built, experiments that take seconds join the gallery by themselves. Needs doxygen and python3;
# Sphinx and its themes come into an environment of their own, build/site/venv.
set -euo pipefail
folders=()
for folder in "$@"; do
  folders+=("$(realpath "$folder")")
done
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

command -v doxygen >/dev/null || {
  echo "site: doxygen is missing: apt-get install doxygen" >&2
  exit 1
}
mkdir -p build/site
if [[ ! -e build/site/venv/complete ]]; then
  python3 -m venv build/site/venv
  build/site/venv/bin/pip install --quiet sphinx==9.0.4 breathe==5.1.0 myst-parser==5.2.0 furo==2025.12.19
  touch build/site/venv/complete
fi
if [[ -x build/bin/optotorch ]]; then
  for experiment in four-rules free-space; do
    rm -rf "build/site/experiments/$experiment"
    build/bin/optotorch reproduce "$experiment" --out "build/site/experiments/$experiment" >/dev/null
    folders+=("build/site/experiments/$experiment")
  done
fi
rm -rf build/site/doxygen build/site/source build/site/extra build/site/html
mkdir -p build/site/doxygen build/site/extra
doxygen docs/site/Doxyfile
python3 docs/site/generate.py . build/site "${folders[@]}"
build/site/venv/bin/sphinx-build -W --keep-going -q -c docs/site -b html build/site/source build/site/html
echo "site: build/site/html/index.html"
