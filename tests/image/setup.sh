#!/bin/sh
# Installs what building and booting the image needs, beyond what the other tests need, and only what is missing.
# qemu-system-arm comes from backports where the release's own conflicts with a newer qemu-utils that is there already.
set -eu
cd "$(dirname "$0")/../.."

packages="cpio device-tree-compiler dosfstools e2fsprogs fdisk kmod mtools openssl qemu-system-arm qemu-user-static
    rauc squashfs-tools zstd"

installed() {
    dpkg-query --show --showformat='${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

apt() {
    $root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"
}

# install_qemu_of_backports: with a source list of its own, gone again afterwards.
install_qemu_of_backports() {
    # shellcheck source=/dev/null
    . /etc/os-release
    list=/etc/apt/sources.list.d/picam-backports.sources
    printf 'Types: deb\nURIs: http://deb.debian.org/debian\nSuites: %s-backports\nComponents: main\nSigned-By: %s\n' \
        "$VERSION_CODENAME" /usr/share/keyrings/debian-archive-keyring.gpg | $root tee $list >/dev/null
    apt update
    status=0
    apt install --yes --no-install-recommends -t "$VERSION_CODENAME-backports" qemu-system-arm || status=$?
    $root rm $list
    return $status
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "not Debian or Ubuntu: building the image needs your system's equivalents of $packages" >&2
    exit 0
fi
root=""
[ "$(id -u)" -eq 0 ] || root="sudo"
missing=""
for package in $packages debian-archive-keyring; do
    installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "installing$missing"
apt update
case $missing in
*qemu-system-arm*)
    if ! apt install --simulate --yes --no-install-recommends qemu-system-arm >/dev/null 2>&1; then
        install_qemu_of_backports
        missing=$(echo "$missing" | sed 's/ qemu-system-arm//')
    fi
    ;;
esac
# shellcheck disable=SC2086 # a list of words
[ -z "$missing" ] || apt install --yes --no-install-recommends $missing
