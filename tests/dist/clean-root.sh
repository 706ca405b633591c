#!/bin/sh
# Proves cross/Dockerfile, and with it cross/setup, on a machine that has nothing: makes a Debian root with
# mmdebstrap, takes it for the image that the Dockerfile starts from, and builds the Dockerfile with buildah, which
# needs no Docker engine. Then compares the image's environment with what cross/setup wrote in it.
#
#   tests/dist/clean-root.sh [FOLDER]     as root; takes about 15 minutes on two cores. FOLDER keeps root and images
#                                         for another run (default: a new one below /tmp, removed at the end)
#
# PICAM_SOURCES is copied into the build context, as a user would do with cross/sources. The machine's apt
# sources and certificate authorities are given to the root, for machines behind a mirror or a proxy.
set -eu

project=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
say() { echo "clean-root: $*" >&2; }
# shellcheck source=cross/parts/debian.sh
. "$project/cross/parts/debian.sh"
[ "$(id -u)" -eq 0 ] || {
    say "run it as root"
    exit 2
}
install_packages buildah ca-certificates mmdebstrap

if [ $# -gt 0 ]; then
    folder=$1
    mkdir -p "$folder"
else
    folder=$(mktemp -d /tmp/picam-clean-root.XXXXXX)
    trap 'rm -rf "$folder"' EXIT
fi
suite=bookworm
image=docker.io/library/debian:bookworm-slim
begin=$(date +%s)

buildah_() { buildah --root "$folder/storage" --runroot "$folder/run" --storage-driver vfs "$@"; }
if ! buildah_ inspect --type image "$image" >/dev/null 2>&1; then
    say "a Debian root"
    mirror=$(debian_mirror "^$suite\$")
    security=$(debian_mirror "$suite-security\$")
    # Proxies, and whether old package lists are accepted.
    apt-config dump | grep -E '^Acquire::(http|https|Check-Date|Check-Valid-Until)' >"$folder/apt.conf" || true
    mmdebstrap --quiet --variant=minbase --include=ca-certificates --aptopt="$folder/apt.conf" \
        --customize-hook='copy-in /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs' \
        "$suite" "$folder/root.tar" "deb $mirror $suite main" "deb $security $suite-security main"
    say "root ready after $(($(date +%s) - begin)) s"
    container=$(buildah_ from scratch)
    buildah_ add --quiet "$container" "$folder/root.tar" / >/dev/null
    buildah_ commit --quiet "$container" "$image" >/dev/null
    buildah_ rm "$container" >/dev/null
fi

context=$folder/context
rm -rf "$context"
cp -a "$project/cross" "$context"
if [ -n "${PICAM_SOURCES:-}" ]; then
    mkdir -p "$context/sources"
    cp -a "$PICAM_SOURCES/." "$context/sources"
fi
# pip has certificates of its own; it takes the machine's where this says so.
buildah_ bud --isolation chroot --pull-never --format docker --env PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    ${PICAM_JOBS:+--env "PICAM_JOBS=$PICAM_JOBS"} --file "$context/Dockerfile" --tag picam-cross "$context"
say "image built after $(($(date +%s) - begin)) s"

container=$(buildah_ from --pull-never picam-cross)
# shellcheck disable=SC2016 # expanded in the container
buildah_ run --isolation chroot "$container" -- sh -euc '
    environment=$(cat /picam/environment)
    prefix=$(dirname "$environment")
    # What a shell gets from the file must be what the container has already, but for the folder and cargo build --target.
    env | sort >/tmp/container
    grep -v CARGO_BUILD_TARGET "$environment" | sed "s,$prefix,/picam/libcamera,g" >/tmp/file
    . /tmp/file
    env | sort | diff /tmp/container -
    pkg-config --version >/dev/null
    PKG_CONFIG_LIBDIR=$PKG_CONFIG_LIBDIR_aarch64_unknown_linux_gnu pkg-config --static --libs --cflags libcamera
    tr "\n" " " <$prefix/pipelines
    sha256sum $prefix/usr/lib/libcamera.a'
say "cross/Dockerfile builds in a clean Debian $suite, in $(($(date +%s) - begin)) s; its environment is cross/setup's"
