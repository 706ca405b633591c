#!/bin/sh
# Installs what building and booting the image needs, beyond what the other tests need, and only what is missing.
set -eu
cd "$(dirname "$0")/../.."

say() { echo "tests/image/setup.sh: $*" >&2; }
# shellcheck source=cross/parts/debian.sh
. cross/parts/debian.sh

packages="cpio debian-archive-keyring device-tree-compiler dosfstools e2fsprogs fdisk kmod mtools openssl
    qemu-user-static rauc squashfs-tools u-boot-qemu u-boot-tools zstd"

# The release's own qemu conflicts with a newer qemu-utils, where that is there already: then it comes from the same
# backports, with package lists of its own. The machine's stay as they are.
install_qemu_of_backports() {
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    mirror=$(debian_mirror "^$codename\$")
    private=$(mktemp --directory)
    mkdir -p "$private/lists/partial"
    chmod 755 "$private"
    for suite in "$codename" "$codename-backports"; do
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
    done >"$private/sources.list"
    for command in update "install --yes --no-install-recommends --target-release $codename-backports qemu-system-arm"; do
        # shellcheck disable=SC2086 # a list of words
        as_root apt-get -q -o DPkg::Lock::Timeout=300 -o Dir::Etc::SourceList="$private/sources.list" \
            -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$private/lists" \
            -o Dir::Cache::pkgcache="" -o Dir::Cache::srcpkgcache="" $command
    done
    as_root rm -r "$private"
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    say "not Debian or Ubuntu: building the image needs your system's equivalents of $packages and qemu-system-arm"
    exit 0
fi
# shellcheck disable=SC2086 # a list of words
install_packages $packages
if ! installed qemu-system-arm; then
    if apt-get install --simulate --yes --no-install-recommends qemu-system-arm >/dev/null 2>&1; then
        install_packages qemu-system-arm
    else
        install_qemu_of_backports
    fi
fi
