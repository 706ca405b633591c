#!/bin/sh
# Unpacks libpisp's headers from Debian sid below a folder: pisp_headers.sh FOLDER. They are all that compiling the
# pipeline handler of the Pi 5 takes; linking it takes libpisp's source, which not every machine that tests can reach.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${PICAM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/picam}
debian_arch=arm64
codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
say() { echo "tests/dist/pisp_headers.sh: $*" >&2; }
# shellcheck source=cross/parts/debian.sh
. "$here/../../cross/parts/debian.sh"
mirror=$(debian_mirror "^$codename\$")
private_apt sid "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main"
debs "$1" "libpisp-dev:$debian_arch"
