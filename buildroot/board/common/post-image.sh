#!/bin/sh
# Makes the SD card image and the update bundle: post-image.sh BINARIES_DIR BOARD_CONF, run by Buildroot
set -eu

images=$1
common=$(dirname "$0")
# shellcheck source=/dev/null
. "$common/lib.sh"
read_board "${2:-}"

work=$BUILD_DIR/picam-image
rm -rf "$work"
mkdir -p "$work/boot" "$work/first" "$work/root"

# The boot slot, the same for A and B: firmware, kernel, device trees, one command line per slot.
cp "$common/boot/config.txt" "$work/boot/"
for slot in a:5:A b:6:B; do
	number=${slot#*:}
	sed "s|@CONSOLE@|$CONSOLE|; s|@ROOT@|${number%:*}|; s|@SLOT@|${slot##*:}|" \
		"$common/boot/cmdline.txt.in" > "$work/boot/cmdline-${slot%%:*}.txt"
done
cp "$images/Image" "$work/boot/"
for file in "$images"/*.dtb; do
	[ ! -e "$file" ] || cp "$file" "$work/boot/"
done
cp "$common/boot/autoboot.txt" "$work/first/"
if [ -d "$images/rpi-firmware" ]; then
	cp -r "$images/rpi-firmware/." "$work/boot/"
	# rpi-firmware brings its own config.txt and cmdline.txt; one command line would boot slot A from B.
	cp "$common/boot/config.txt" "$work/boot/"
	rm -f "$work/boot/cmdline.txt"
	if [ -e "$work/boot/bootcode.bin" ]; then
		# Pis before 4 load it from the first partition. start.elf must not be there: the firmware
		# would take that partition for a bootable one.
		mv "$work/boot/bootcode.bin" "$work/first/"
		# Perhaps bootcode.bin boots nothing without this file (a Pi 5 would take the partition for a slot).
		: > "$work/first/config.txt"
	fi
	"$BR2_EXTERNAL_PICAM_PATH/scripts/check-firmware" "$work/boot" || exit 1
fi
if [ "${BOOTLOADER:-}" = u-boot ]; then
	# The firmware starts U-Boot from the first partition, with the device tree and the overlays that are there, and
	# U-Boot takes kernel and root of a slot. What is on the first partition is not updated.
	rm "$work/first/autoboot.txt" "$work/boot"/cmdline-*.txt
	cp -r "$work/boot/." "$work/first/"
	rm "$work/first/Image"
	find "$work/boot" -mindepth 1 -maxdepth 1 ! -name Image -exec rm -r {} +
	sed 's/^kernel=.*/kernel=u-boot.bin/' "$common/boot/config.txt" > "$work/first/config.txt"
	sed "s|@CONSOLE@|$CONSOLE|; s| root=[^ ]*||; s| rauc.slot=@SLOT@||" \
		"$common/boot/cmdline.txt.in" > "$work/first/cmdline.txt"
	cp "$images/u-boot.bin" "$images/boot.scr" "$common/boot/slots.env" "$work/first/"
fi

# listed FOLDER: its files as genimage takes them. It names a file by its last part, and copies folders whole.
listed() {
	(cd "$work/$1" && for file in *; do printf '\\t\\t\\t"%s/%s",\\n' "$1" "$file"; done)
}
sed "s|@AUTOBOOT_FILES@|$(listed first)|; s|@BOOT_FILES@|$(listed boot)|" "$common/genimage.cfg.in" > "$work/genimage.cfg"
cp "$images/rootfs.squashfs" "$work/"

genimage --config "$work/genimage.cfg" --rootpath "$work/root" --tmppath "$work/tmp" \
	--inputpath "$work" --outputpath "$images"

key=$(rauc_path KEY)
cert=$(rauc_path CERT)
if [ -z "$key" ] || [ -z "$cert" ]; then
	echo "picam image: NO UPDATE BUNDLE MADE: set PICAM_RAUC_KEY and PICAM_RAUC_CERT (or BR2_PICAM_RAUC_*)" >&2
	exit 0
fi
version=$(picam_version)
mkdir "$work/bundle"
mv "$work/rootfs.squashfs" "$work/bundle/rootfs.img"
cp "$images/boot.vfat" "$work/bundle/boot.img"
cat > "$work/bundle/manifest.raucm" <<EOF
[update]
compatible=$COMPATIBLE
version=$version

[bundle]
format=verity

[image.boot]
filename=boot.img

[image.rootfs]
filename=rootfs.img
EOF
bundle=$images/$COMPATIBLE-$version.raucb
rm -f "$bundle"
rauc bundle --cert="$cert" --key="$key" --keyring="$(rauc_path KEYRING)" "$work/bundle" "$bundle"
