#!/bin/sh
# Fits the root file system to its board: post-build.sh TARGET_DIR BOARD_CONF, run by Buildroot
set -eu

target=$1
# shellcheck source=/dev/null
. "$(dirname "$0")/lib.sh"
read_board "${2:-}"

keyring=$(rauc_path KEYRING)
[ -n "$keyring" ] || fail "set PICAM_RAUC_KEYRING or BR2_PICAM_RAUC_KEYRING: a camera without it can never be updated" \
	"(for tests: buildroot/scripts/make-test-keys)"
"$BR2_EXTERNAL_PICAM_PATH/scripts/check-keyring" "$keyring" || exit 1
install -D -m 0644 "$keyring" "$target/etc/rauc/keyring.pem"

# `make dist` leaves a pipeline out whose sources it could not get: such a picam would find no camera.
[ -z "${PIPELINE:-}" ] || [ -f "$target/usr/share/libcamera/ipa/rpi/$PIPELINE/imx708.json" ] ||
	fail "picam has no rpi/$PIPELINE: the tarball was made without that pipeline; see the warnings of 'make dist'"

# The overlay serves every board: its RAUC configuration leaves open which.
sed -i "s|@COMPATIBLE@|$COMPATIBLE|g" "$target/etc/rauc/system.conf"
! grep -n '@[A-Z]*@' "$target/etc/rauc/system.conf" >&2 || fail "etc/rauc/system.conf has a blank left"

# BUILD_TIME: the earliest time that the clock of a board without battery can show.
printf 'VERSION=%s\nCOMPATIBLE=%s\nBUILD_TIME=%s\n' "$(picam_version)" "$COMPATIBLE" \
	"${SOURCE_DATE_EPOCH:-$(date +%s)}" > "$target/etc/picam-release"

# What its packages start and nothing needs on a read-only root: cron, a seed that cannot be saved, and a bus that
# start-rauc starts itself.
rm -f "$target/etc/init.d/S01seedrng" "$target/etc/init.d/S30dbus-daemon" "$target/etc/init.d/S50crond"

# Mount points; the root file system is read-only.
mkdir -p "$target/data" "$target/boot"
