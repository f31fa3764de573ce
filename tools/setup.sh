#!/usr/bin/env bash
# Finds what the build needs, installs what is missing, and configures build/ (preset `release`).
#
# TorchVision's sources, libjpeg-dev and libpng-dev read JPEG and PNG files; without them the build goes on, too.
# gnuplot-nox draws the pictures of `optotorch reproduce`. It is installed like the rest, but where that can't be the
# build goes on. dataset-fashion-mnist, 30 MB, is used if it is there. What is missing of both is named at the end.
#
# Sourced by quickstart.sh and test.sh; may be run alone. What is there already is left alone: a second run changes
# nothing and needs no network.
#
# Reads:   Torch_DIR or CMAKE_PREFIX_PATH  a LibTorch to use instead of the one that python3 has
#          CXX                             the compiler
#          OPTOTORCH_TORCH_INDEX           where pip looks first for LibTorch (tools/setup_libtorch.sh); empty: nowhere
#                                          but where it is set up to look
# Exports: OPTOTORCH_PYTHON                a Python that has torch, or nothing
set -euo pipefail

optotorch_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
optotorch_build=$optotorch_root/build

say() { printf 'setup: %s\n' "$*"; }

give_up() {
  printf 'setup: %s\n' "$@" >&2
  exit 1
}

# shellcheck source=tools/setup_libtorch.sh
source "$optotorch_root/tools/setup_libtorch.sh"
# shellcheck source=tools/setup_torchvision.sh
source "$optotorch_root/tools/setup_torchvision.sh"

# ---- tools and libraries --------------------------------------------------------------------------------------------

# Only GCC has a known minimum; whoever sets CXX knows why.
compiler_is_new_enough() {
  local version
  version=$("$1" -dumpversion 2>/dev/null) || return 1
  [[ $("$1" --version 2>/dev/null) == *clang* ]] || at_least "$version" 12
}

find_compiler() {
  [[ -n ${CXX:-} ]] && return 0
  local compiler
  for compiler in c++ g++ g++-15 g++-14 g++-13 g++-12; do
    if compiler_is_new_enough "$compiler"; then
      [[ $compiler == c++ ]] || export CXX=$compiler
      return 0
    fi
  done
  return 1
}

has_header() {
  local prefix
  while read -r prefix; do
    [[ -n $prefix && -e $prefix/include/$1 ]] && return 0
  done < <(user_prefixes)
  printf '#if !__has_include(<%s>)\n#error\n#endif\n' "$1" | "${CXX:-c++}" -E -x c++ - >/dev/null 2>&1
}

tool_version() { "$1" --version 2>/dev/null | sed -n '1s/[^0-9]*\([0-9.]*\).*/\1/p'; }

# Debian's names of the packages that are missing, one a line.
missing_packages() {
  find_compiler || echo g++
  at_least "$(tool_version cmake)" 3.25 || echo cmake
  at_least "$(tool_version ninja)" 1.10 || echo ninja-build
  has_header gtest/gtest.h || echo libgtest-dev
  has_header CLI/CLI.hpp || echo libcli11-dev
  has_header nlohmann/json.hpp || echo nlohmann-json3-dev
  has_header zlib.h || echo zlib1g-dev
  has_header bzlib.h || echo libbz2-dev
  has_header hwy/highway.h || echo libhwy-dev
  has_header openssl/evp.h || echo libssl-dev
  if [[ -z $optotorch_libtorch ]]; then
    command -v python3 >/dev/null || echo python3
    find_venv_maker >/dev/null || echo python3-venv
  fi
}

# Debian's names of what nothing fails without.
missing_for_pictures() { command -v gnuplot >/dev/null || echo gnuplot-nox; }

# apt_install PACKAGE..., with the caller's apt_options.
apt_install() {
  local as_root=()
  [[ $EUID -eq 0 ]] || as_root=(sudo -n)
  "${as_root[@]}" apt-get update -qq "${apt_options[@]}" &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      "${apt_options[@]}" "$@" && hash -r
}

can_install() { command -v apt-get >/dev/null && { [[ $EUID -eq 0 ]] || sudo -n true 2>/dev/null; }; }

install_packages() {
  local packages pictures apt_options=()
  mapfile -t packages < <(missing_packages)
  mapfile -t pictures < <(missing_for_pictures)
  if [[ ${#packages[@]} -eq 0 ]]; then
    say "tools and libraries are there"
    if [[ ${#pictures[@]} -gt 0 ]] && can_install; then
      say "installing ${pictures[*]}"
      # Without a network that must not take long.
      apt_options=(-o Acquire::Retries=0 -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10)
      apt_install "${pictures[@]}" || say "could not install ${pictures[*]}: going on without"
    fi
    return 0
  fi
  if ! command -v apt-get >/dev/null; then
    give_up "missing, by their Debian names: ${packages[*]}" "Install them and run this again."
  fi
  if ! can_install; then
    give_up "missing packages, and no rights to install them. Run this, then try again:" \
      "  sudo apt-get update && sudo apt-get install -y ${packages[*]} ${pictures[*]}"
  fi
  say "installing ${packages[*]} ${pictures[*]}"
  apt_install "${packages[@]}" "${pictures[@]}" || give_up "apt-get could not install them."
  mapfile -t packages < <(missing_packages)
  if [[ ${#packages[@]} -gt 0 ]]; then
    give_up "still missing or too old after installation: ${packages[*]}" \
      "Needed: GCC >= 12 (or CXX=...), CMake >= 3.25, Ninja >= 1.10, Python >= 3.10."
  fi
}

# ---- configuration --------------------------------------------------------------------------------------------------

cached() { sed -n "s/^$1:[A-Z]*=//p" "$optotorch_build/CMakeCache.txt" 2>/dev/null || true; }

configure() {
  if [[ -e $optotorch_build/build.ninja && $(cached LibTorch_ROOT_DIR) == "$optotorch_libtorch" &&
    $(cached OPTOTORCH_PYTHON) == "$OPTOTORCH_PYTHON" ]] &&
    { ! has_torchvision || [[ -d $(cached TorchVision_ROOT_DIR) ]]; }; then
    say "build/ is configured"
    return 0
  fi
  say "configuring build/"
  # What was remembered of another LibTorch must go.
  (cd "$optotorch_root" && cmake --preset release -U 'LibTorch_*' -D "LibTorch_ROOT_DIR=$optotorch_libtorch" \
    -D "OPTOTORCH_PYTHON=$OPTOTORCH_PYTHON")
}

# What the tests compare data sets and transforms with, into the environment of the build folder; a Python of the user's
# own is left alone. Without it these tests are skipped.
install_test_packages() {
  local venv=$optotorch_build/venv
  [[ -x $venv/bin/python && $OPTOTORCH_PYTHON == "$venv"/* ]] || return 0
  if ! "$venv/bin/python" -c 'import importlib.metadata as m; m.version("torchvision"); m.version("pillow")' 2>/dev/null; then
    say "installing torchvision and pillow for the tests"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --timeout 20 --retries 1 numpy \
      torchvision==0.28.0 pillow || say "could not install them: going on without"
  fi
  if ! "$venv/bin/python" -c 'import importlib.metadata as m; [m.version(p) for p in ("onnx", "onnxruntime", "tensorboard", "safetensors", "pytest")]' 2>/dev/null; then
    say "installing onnx, onnxruntime, pytest, safetensors and tensorboard for the tests"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --timeout 20 --retries 1 onnx==1.23.2 onnxruntime==1.32.0 \
      pytest==9.* safetensors tensorboard==2.21.0 || say "could not install them: going on without"
  fi
}

# Debian's names of the packages that could be of use.
optional_packages() {
  missing_for_pictures
  [[ -d /usr/share/datasets/fashion-mnist ]] || echo dataset-fashion-mnist
}

name_optional_packages() {
  local packages
  mapfile -t packages < <(optional_packages)
  if [[ ${#packages[@]} -gt 0 ]]; then
    say "of use, if you like: apt-get install ${packages[*]}"
  fi
}

find_libtorch
install_packages
find_compiler
install_libtorch
install_torchvision
find_python
say "LibTorch $(libtorch_version "$optotorch_libtorch") at $optotorch_libtorch (from $optotorch_libtorch_from)"
configure
name_optional_packages
