# The kernel options of the Buildroot image: squashfs, verity, watchdog and camera, with no initramfs.
FILESEXTRAPATHS:prepend:picam-os := "${PICAM_TOP}/buildroot/board/common:"

SRC_URI:append:picam-os = " file://linux.cfg file://linux-rpi.cfg"
