#!/bin/sh
# Installs what the Wi-Fi lane needs beyond the image's tests: a compiler for the guest, and make. Only what is missing.
set -eu
cd "$(dirname "$0")/../.."

say() { echo "tests/wifi/setup.sh: $*" >&2; }
# shellcheck source=cross/parts/debian.sh
. cross/parts/debian.sh

compiler="gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
[ "$(uname -m)" != aarch64 ] || compiler="gcc libc6-dev"
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    say "not Debian or Ubuntu: the Wi-Fi lane needs make and your system's equivalent of $compiler"
    exit 0
fi
# shellcheck disable=SC2086 # a list of words
install_packages make $compiler
