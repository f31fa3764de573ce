# shellcheck shell=bash
# Fetches the C++ sources of TorchVision's readers of JPEG and PNG into build/torchvision. Part of tools/setup.sh; here
# are functions only. `say`, `has_header`, `can_install` and `apt_install` are the caller's, `optotorch_build` is its
# build folder.
#
# The sources are Debian's `pytorch-vision` 0.14.1, from the mirror that this machine's apt uses, or a tarball of that
# name and checksum that lies in build/torchvision already. They are of use, not needed: whatever is missing here is
# said, and the build goes on without.

optotorch_torchvision=$optotorch_build/torchvision
optotorch_torchvision_version=0.14.1
optotorch_torchvision_tarball=pytorch-vision_$optotorch_torchvision_version.orig.tar.gz
optotorch_torchvision_sha256=ced67e1cf1f97e168cdf271851a4d0b6d382ab7936e7bcbb39aaa87239c324b6

without_torchvision() {
  say "$1: JPEG and PNG files can't be read" \
    "(by hand: $optotorch_torchvision_tarball of Debian 12 into $optotorch_torchvision, then run this again;" \
    "or -DTorchVision_DIR=/path/to/torchvision)"
}

has_torchvision() {
  [[ -e $optotorch_torchvision/torchvision/csrc/io/image/cpu/decode_jpeg.cpp && -e $optotorch_torchvision/LICENSE ]]
}

is_torchvision_tarball() {
  [[ -f $1 ]] && [[ $(sha256sum <"$1") == "$optotorch_torchvision_sha256 "* ]]
}

# Debian's archives that apt knows here, as lines for their sources; not what comes after a release (bookworm-updates).
debian_sources() {
  local uri suite component options="" keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [[ -e $keyring ]] && options="[signed-by=$keyring] "
  # shellcheck disable=SC2016  # apt's own $
  apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
    sed -n '/^Debian [^ ]* [a-z0-9.]* /s/^Debian //p' | sort -u | while read -r uri suite component; do
    echo "deb-src $options$uri $suite $component"
  done
}

# with_lists_in FOLDER COMMAND ...: apt-get or apt-cache with lists of its own, which leave the machine's as they are.
with_lists_in() {
  "$2" -qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$1/sources" -o Dir::State::Lists="$1/lists" \
    -o Dir::Cache::srcpkgcache= -o Dir::Cache::pkgcache= -o Acquire::Retries=1 -o Acquire::http::Timeout=20 \
    -o Acquire::https::Timeout=20 "${@:3}"
}

# fetch_torchvision FOLDER: the tarball into FOLDER.
fetch_torchvision() (
  cd "$1" || exit
  mkdir -p sources lists/partial
  debian_sources >sources/debian.list
  [[ -s sources/debian.list ]] || exit
  with_lists_in "$1" apt-get update >log 2>&1 || exit
  local version
  version=$(with_lists_in "$1" apt-cache showsrc pytorch-vision 2>/dev/null |
    sed -n "s/^Version: \($optotorch_torchvision_version-.*\)/\1/p" | head -n 1)
  [[ -n $version ]] && with_lists_in "$1" apt-get source --tar-only "pytorch-vision=$version" >>log 2>&1
)

install_torchvision() {
  local packages=() apt_options=() folder
  has_header jpeglib.h || packages+=(libjpeg-dev)
  has_header png.h || packages+=(libpng-dev)
  if [[ ${#packages[@]} -gt 0 ]]; then
    if can_install; then
      say "installing ${packages[*]}"
      apt_options=(-o Acquire::Retries=0 -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10)
      apt_install "${packages[@]}" || { without_torchvision "could not install ${packages[*]}" && return 0; }
    else
      without_torchvision "missing ${packages[*]}" && return 0
    fi
  fi
  if has_torchvision; then
    say "TorchVision's readers are there"
    return 0
  fi
  mkdir -p "$optotorch_torchvision"
  if ! is_torchvision_tarball "$optotorch_torchvision/$optotorch_torchvision_tarball"; then
    if ! command -v apt-get >/dev/null; then
      without_torchvision "no apt-get to fetch TorchVision's sources with" && return 0
    fi
    say "fetching TorchVision $optotorch_torchvision_version's sources (9 MB) from Debian's mirror"
    folder=$(mktemp -d)
    chmod 755 "$folder" # apt reads lists as a user of its own
    fetch_torchvision "$folder" || true
    if is_torchvision_tarball "$folder/$optotorch_torchvision_tarball"; then
      mv "$folder/$optotorch_torchvision_tarball" "$optotorch_torchvision/"
    fi
    rm -rf "$folder"
  fi
  if ! is_torchvision_tarball "$optotorch_torchvision/$optotorch_torchvision_tarball"; then
    without_torchvision "no $optotorch_torchvision_tarball with the right checksum from Debian's mirror" && return 0
  fi
  say "unpacking TorchVision's readers into $optotorch_torchvision"
  tar -xzf "$optotorch_torchvision/$optotorch_torchvision_tarball" -C "$optotorch_torchvision" --strip-components=1 \
    --no-same-owner --wildcards '*/torchvision/csrc/macros.h' '*/torchvision/csrc/io/image' '*/version.txt' '*/LICENSE' ||
    without_torchvision "could not unpack $optotorch_torchvision_tarball"
}
