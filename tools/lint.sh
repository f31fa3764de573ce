#!/usr/bin/env bash
# clang-format and clang-tidy over all C++ files of the project, shellcheck (if it is there) over the scripts.
#
#     tools/lint.sh [BUILD_FOLDER] [FILE ...]       (default: build, all files that git knows)
#
# Needs a configured build folder for its compile_commands.json. clang-tidy takes 10 to 30 seconds a file.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=${1:-build}
shift || true
if [[ ! -e $build/compile_commands.json ]]; then
  echo "lint: $build/compile_commands.json is missing: configure first (cmake --preset release), or name the build folder" >&2
  exit 2
fi

files=("$@")
if [[ ${#files[@]} -eq 0 ]]; then
  mapfile -t files < <(git ls-files --cached --others --exclude-standard -- '*.h' '*.cpp')
fi

failed=0
echo "lint: clang-format, ${#files[@]} files"
clang-format --dry-run -Werror "${files[@]}" || failed=1

# Files that are compiled in batches are checked one by one, and headers that GCC has precompiled are none to clang.
mkdir -p "$build/lint"
python3 - "$build" <<'END'
import json, re, sys

build = sys.argv[1]
commands = []
for entry in json.load(open(f"{build}/compile_commands.json")):
    command = re.sub(r" -Winvalid-pch -include \S+cmake_pch\.hxx", "", entry["command"])
    files = [entry["file"]]
    if "/Unity/unity_" in files[0]:
        files = re.findall(r'^#include "(.+)"', open(files[0]).read(), re.M)
    commands += [{**entry, "command": command.replace(entry["file"], file), "file": file} for file in files]
json.dump(commands, open(f"{build}/lint/compile_commands.json", "w"), indent=2)
END

# Headers are checked where they are included; a source that is not built has no compile command.
sources=()
for file in "${files[@]}"; do
  if [[ $file == *.cpp ]] && grep -qF "\"file\": \"$PWD/${file#"$PWD/"}\"" "$build/lint/compile_commands.json"; then
    sources+=("$file")
  fi
done
echo "lint: clang-tidy, ${#sources[@]} sources"
if [[ ${#sources[@]} -gt 0 ]]; then
  # omp.h comes with GCC; clang looks there last, after its own headers.
  gcc_headers=$("${CXX:-c++}" -print-file-name=include)
  printf '%s\0' "${sources[@]}" |
    xargs -0 -n 1 -P "${LINT_JOBS:-$(nproc)}" clang-tidy -p "$build/lint" --quiet \
      --extra-arg=-Wno-unknown-warning-option --extra-arg=-idirafter --extra-arg="$gcc_headers" ||
    failed=1
fi

if command -v shellcheck >/dev/null; then
  echo "lint: shellcheck"
  shellcheck -x quickstart.sh test.sh .ci/run tools/*.sh || failed=1
fi
exit "$failed"
