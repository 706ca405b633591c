# What rootfs-overlay's scripts call, the same as in the Buildroot image.
FILESEXTRAPATHS:prepend:picam-os := "${PICAM_TOP}/buildroot/board/common:"

SRC_URI:append:picam-os = " file://busybox.cfg"
