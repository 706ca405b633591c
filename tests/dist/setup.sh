#!/bin/sh
# Installs what tests/dist needs besides tests/setup.sh's and cross/setup's packages.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
say() { echo "tests/dist/setup.sh: $*" >&2; }
# shellcheck source=cross/parts/debian.sh
. "$here/../../cross/parts/debian.sh"
# init-system-helpers: deb-systemd-helper, which the package's scripts call.
install_packages binutils dpkg init-system-helpers lintian man-db qemu-user-static systemd
