#!/usr/bin/env bash
# Finds what the build needs, installs what is missing, and configures build/ (preset `release`).
#
# gnuplot-nox draws the pictures of `optotorch reproduce`. It is installed like the rest, but where that can't be the
# build goes on. dataset-fashion-mnist, 30 MB, is used if it is there. What is missing of both is named at the end.
#
# Sourced by quickstart.sh and test.sh; may be run alone. What is there already is left alone: a second run changes
# nothing and needs no network.
#
# Reads:   Torch_DIR or CMAKE_PREFIX_PATH  a LibTorch to use instead of the one that python3 has
#          CXX                             the compiler
# Exports: OPTOTORCH_PYTHON                a Python that has torch, or nothing
set -euo pipefail

optotorch_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
optotorch_build=$optotorch_root/build
optotorch_venv=$optotorch_build/venv
optotorch_torch_wheel="torch==2.13.0"
optotorch_oldest_torch=2.6

say() { printf 'setup: %s\n' "$*"; }

give_up() {
  printf 'setup: %s\n' "$@" >&2
  exit 1
}

# at_least VERSION MINIMUM
at_least() { [[ -n $1 && $(printf '%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

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

user_prefixes() {
  local prefixes
  IFS=':;' read -r -a prefixes <<<"${CMAKE_PREFIX_PATH:-}"
  printf '%s\n' "${prefixes[@]}"
}

has_header() {
  local prefix
  while read -r prefix; do
    [[ -n $prefix && -e $prefix/include/$1 ]] && return 0
  done < <(user_prefixes)
  printf '#if !__has_include(<%s>)\n#error\n#endif\n' "$1" | "${CXX:-c++}" -E -x c++ - >/dev/null 2>&1
}

tool_version() { "$1" --version 2>/dev/null | sed -n '1s/[^0-9]*\([0-9.]*\).*/\1/p'; }

# A Python that can make a virtual environment and that the wheel exists for.
find_venv_maker() {
  local python
  for python in python3 /usr/bin/python3; do
    if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; then
      echo "$python"
      return 0
    fi
  done
  return 1
}

# Debian's names of the packages that are missing, one a line.
missing_packages() {
  find_compiler || echo g++
  at_least "$(tool_version cmake)" 3.25 || echo cmake
  at_least "$(tool_version ninja)" 1.10 || echo ninja-build
  has_header gtest/gtest.h || echo libgtest-dev
  has_header CLI/CLI.hpp || echo libcli11-dev
  has_header nlohmann/json.hpp || echo nlohmann-json3-dev
  has_header zlib.h || echo zlib1g-dev
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

# ---- LibTorch -------------------------------------------------------------------------------------------------------

is_libtorch() { [[ -e $1/include/torch/csrc/api/include/torch/torch.h && -e $1/lib/libtorch_cpu.so ]]; }

libtorch_version() {
  local header
  for header in headeronly/version.h csrc/api/include/torch/version.h; do
    header=$1/include/torch/$header
    if [[ -e $header ]] && grep -q '#define TORCH_VERSION_MAJOR [0-9]' "$header"; then
      sed -n 's/^#define TORCH_VERSION_\(MAJOR\|MINOR\|PATCH\) \([0-9]*\).*/\2/p' "$header" | paste -sd .
      return 0
    fi
  done
}

# The folder of a Python's torch, without importing it.
torch_of() {
  "$1" -c 'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")' \
    2>/dev/null || true
}

# Sets optotorch_libtorch (empty: none yet) and optotorch_libtorch_from.
find_libtorch() {
  local folder prefix python
  optotorch_libtorch="" optotorch_libtorch_from=""
  if [[ -n ${Torch_DIR:-} ]]; then
    folder=$(cd "$Torch_DIR/../../.." 2>/dev/null && pwd) || folder=""
    is_libtorch "$folder" || give_up "Torch_DIR=$Torch_DIR: no LibTorch there." \
      "It is the folder that holds TorchConfig.cmake: LIBTORCH/share/cmake/Torch."
    optotorch_libtorch=$folder optotorch_libtorch_from=Torch_DIR
  fi
  while [[ -z $optotorch_libtorch ]] && read -r prefix; do
    for folder in "$prefix" "$prefix/libtorch" "$prefix/torch"; do
      if [[ -n $prefix ]] && is_libtorch "$folder"; then
        optotorch_libtorch=$(cd "$folder" && pwd) optotorch_libtorch_from=CMAKE_PREFIX_PATH
        break
      fi
    done
  done < <(user_prefixes)
  if [[ -n $optotorch_libtorch ]]; then
    at_least "$(libtorch_version "$optotorch_libtorch")" "$optotorch_oldest_torch" ||
      give_up "$optotorch_libtorch_from names LibTorch $(libtorch_version "$optotorch_libtorch")" \
        "($optotorch_libtorch), but $optotorch_oldest_torch or newer is needed."
    return 0
  fi
  for python in python3 "$optotorch_venv/bin/python"; do
    folder=$(torch_of "$python")
    if [[ -n $folder ]] && is_libtorch "$folder"; then
      if at_least "$(libtorch_version "$folder")" "$optotorch_oldest_torch"; then
        optotorch_libtorch=$folder optotorch_libtorch_from=$python
        return 0
      fi
      say "passing over the torch $(libtorch_version "$folder") of $python: older than $optotorch_oldest_torch"
    fi
  done
}

install_libtorch() {
  [[ -n $optotorch_libtorch ]] && return 0
  local maker
  maker=$(find_venv_maker)
  say "python3 has no torch: installing $optotorch_torch_wheel into $optotorch_venv"
  [[ -x $optotorch_venv/bin/pip ]] || "$maker" -m venv --clear "$optotorch_venv"
  "$optotorch_venv/bin/pip" install --quiet --disable-pip-version-check "$optotorch_torch_wheel" numpy ||
    give_up "pip could not install $optotorch_torch_wheel." \
      "Without a network: unpack a LibTorch and name it, CMAKE_PREFIX_PATH=/path/to/libtorch."
  find_libtorch
  [[ -n $optotorch_libtorch ]] || give_up "$optotorch_venv holds no usable torch after installation. Remove it and retry."
}

# The Python of that very torch, else any that has one, else nothing.
find_python() {
  local python folder
  OPTOTORCH_PYTHON=""
  for python in "$optotorch_libtorch/../../../../bin/python" python3 "$optotorch_venv/bin/python"; do
    folder=$(torch_of "$python")
    if [[ -n $folder && (-z $OPTOTORCH_PYTHON || $folder -ef $optotorch_libtorch) ]]; then
      OPTOTORCH_PYTHON=$("$python" -c 'import sys; print(sys.executable)')
      [[ $folder -ef $optotorch_libtorch ]] && break
    fi
  done
  [[ -n $OPTOTORCH_PYTHON ]] || say "no Python with torch: the Python checks will be skipped"
  export OPTOTORCH_PYTHON
}

# ---- configuration --------------------------------------------------------------------------------------------------

cached() { sed -n "s/^$1:[A-Z]*=//p" "$optotorch_build/CMakeCache.txt" 2>/dev/null || true; }

configure() {
  if [[ -e $optotorch_build/build.ninja && $(cached LibTorch_ROOT_DIR) == "$optotorch_libtorch" &&
    $(cached OPTOTORCH_PYTHON) == "$OPTOTORCH_PYTHON" ]]; then
    say "build/ is configured"
    return 0
  fi
  say "configuring build/"
  # What was remembered of another LibTorch must go.
  (cd "$optotorch_root" && cmake --preset release -U 'LibTorch_*' -D "LibTorch_ROOT_DIR=$optotorch_libtorch" \
    -D "OPTOTORCH_PYTHON=$OPTOTORCH_PYTHON")
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
    say "optional, for pictures and Fashion-MNIST: apt-get install ${packages[*]}"
  fi
}

find_libtorch
install_packages
find_compiler
install_libtorch
find_python
say "LibTorch $(libtorch_version "$optotorch_libtorch") at $optotorch_libtorch (from $optotorch_libtorch_from)"
configure
name_optional_packages
