# Sourced by post-build.sh and post-image.sh.
# shellcheck shell=sh

fail() {
	echo "picam image: $*" >&2
	exit 1
}

# Value of the environment variable PICAM_RAUC_$1, else of BR2_PICAM_RAUC_$1 in Buildroot's configuration.
rauc_path() {
	value=$(printenv "PICAM_RAUC_$1" || sed -n "s/^BR2_PICAM_RAUC_$1=\"\(.*\)\"$/\1/p" "$BR2_CONFIG")
	[ -z "$value" ] || [ -f "$value" ] || fail "PICAM_RAUC_$1: $value: no such file"
	echo "$value"
}

# Version of picam, which is that of the image and of the bundle.
picam_version() {
	sed -n '/^version = /{s/.*"\(.*\)"/\1/p;q;}' "$BR2_EXTERNAL_PICAM_PATH/../Cargo.toml"
}

# COMPATIBLE and CONSOLE of the board, PIPELINE where it has a camera, and BOOTLOADER=u-boot where the firmware alone
# does not do.
read_board() {
	[ -f "${1:-}" ] || fail "BR2_ROOTFS_POST_SCRIPT_ARGS must name a board.conf, not '${1:-}'"
	# shellcheck source=/dev/null
	. "$1"
	: "${COMPATIBLE:?$1 does not set it}" "${CONSOLE:?$1 does not set it}"
}
