# shellcheck shell=bash
# Finds a LibTorch, or installs one into a virtual environment of the build folder. Part of tools/setup.sh, which says
# what is read; here are functions only. `say` and `give_up` are the caller's, `optotorch_build` is its build folder.

optotorch_venv=$optotorch_build/venv
optotorch_torch_version=2.13.0
optotorch_oldest_torch=2.6

# PyTorch's own index of builds for CPUs, some 200 MB. The usual ones for Linux bring CUDA along: gigabytes.
optotorch_torch_index=${OPTOTORCH_TORCH_INDEX-https://download.pytorch.org/whl/cpu}
optotorch_patience=5 # seconds that it has for an answer

# at_least VERSION MINIMUM
at_least() { [[ -n $1 && $(printf '%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

user_prefixes() {
  local prefixes
  IFS=':;' read -r -a prefixes <<<"${CMAKE_PREFIX_PATH:-}"
  printf '%s\n' "${prefixes[@]}"
}

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

# What the index offers of the wheel, as a requirement: with the mark of a build for CPUs where there is one. Nothing if
# it does not answer in time. A folder on the disk is an index, too: file:///path, with torch/index.html in it.
offered_by_index() {
  [[ -n $optotorch_torch_index ]] || return 0
  # The time for a name that nobody resolves is not Python's to limit.
  timeout "$optotorch_patience" "$1" - "$optotorch_torch_index" "$optotorch_torch_version" "$optotorch_patience" 2>/dev/null <<'END' || true
import sys
import urllib.parse
import urllib.request

index, version, patience = sys.argv[1:]
page = index.rstrip("/") + "/torch/" + ("index.html" if index.startswith("file:") else "")
with urllib.request.urlopen(page, timeout=float(patience)) as answer:
    names = urllib.parse.unquote(answer.read(1 << 24).decode("utf-8", "replace"))
for offered in (version + "+cpu", version):
    if f"torch-{offered}-" in names:
        print(f"torch=={offered}")
        break
END
}

# "23 files, 3.1 GB": what pip would fetch, or nothing if that can't be told (pip before 22.2).
size_of_download() {
  local report
  report=$(mktemp)
  if timeout 120 "$optotorch_venv/bin/pip" install --quiet --disable-pip-version-check --retries 1 --dry-run \
    --report "$report" "$@" >/dev/null 2>&1; then
    "$optotorch_venv/bin/python" - "$report" 2>/dev/null <<'END' || true
import json
import os
import sys
import urllib.parse
import urllib.request

urls = [item["download_info"]["url"] for item in json.load(open(sys.argv[1]))["install"]]
size = 0
for url in urls:
    if url.startswith("file:"):
        size += os.path.getsize(urllib.request.url2pathname(urllib.parse.urlparse(url).path))
    else:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=10) as answer:
            size += int(answer.headers["Content-Length"])
text = f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
print(f"{len(urls)} files, {text}")
END
  fi
  rm -f "$report"
}

install_libtorch() {
  [[ -n $optotorch_libtorch ]] && return 0
  local maker wheel size index=()
  maker=$(find_venv_maker)
  say "python3 has no torch: installing it into $optotorch_venv"
  [[ -x $optotorch_venv/bin/pip ]] || "$maker" -m venv --clear "$optotorch_venv"
  wheel=$(offered_by_index "$maker")
  if [[ -n $wheel ]]; then
    say "$wheel from $optotorch_torch_index"
    index=(--extra-index-url "$optotorch_torch_index")
  else
    wheel=torch==$optotorch_torch_version
    size=$(size_of_download "$wheel" numpy)
    say "no build for CPUs from '$optotorch_torch_index': $wheel from where pip is set up to look," \
      "${size:-which may be gigabytes: the build for CUDA}"
    say "to use a LibTorch of your own instead, stop this and name it: CMAKE_PREFIX_PATH=/path/to/libtorch"
  fi
  "$optotorch_venv/bin/pip" install --quiet --disable-pip-version-check "${index[@]}" "$wheel" numpy ||
    give_up "pip could not install $wheel." \
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
