SUMMARY = "SD card image of the picam appliance"
DESCRIPTION = "Read-only root in two slots, updated by RAUC, and a data partition."
SECTION = "base"
CVE_PRODUCT = "picam"
LICENSE = "MIT"

inherit core-image features_check

REQUIRED_DISTRO_FEATURES = "rauc systemd"
COMPATIBLE_MACHINE = "^(raspberrypi4-64|raspberrypi5|raspberrypi0-2w-64)$"

IMAGE_FEATURES += "read-only-rootfs"
IMAGE_LINGUAS = ""
IMAGE_INSTALL = "\
    packagegroup-core-boot \
    ca-certificates \
    dropbear \
    picam \
    picam-system \
    picam-wifi \
    rauc \
    ${PICAM_DRIVERS} \
    ${PICAM_IMAGE_EXTRA_INSTALL} \
"
# The machine's kernel modules, the camera's among them, and Wi-Fi firmware; Bluetooth is off.
PICAM_DRIVERS = "${@' '.join(p for p in (d.getVar('MACHINE_EXTRA_RRECOMMENDS') or '').split() if 'bluez' not in p)}"
# For example "picam-hawkbit", see kas/hawkbit.yml.
PICAM_IMAGE_EXTRA_INSTALL ?= ""

# The kernel and its device trees are in the boot slot, which is another file system.
PACKAGE_EXCLUDE += "kernel-image-image kernel-devicetree"

IMAGE_FSTYPES = "squashfs-zst wic.zst wic.bmap"
# nooelint: oelint.vars.mispell,oelint.vars.specific
IMAGE_TYPEDEP:wic = "squashfs-zst"
WKS_FILE = "picam-sdcard.wks.in"
WKS_FILE_DEPENDS = "picam-boot"

# Read by the update scripts. BUILD_TIME: the earliest time that the clock of a board without battery can show.
picam_release() {
    printf 'VERSION=%s\nCOMPATIBLE=%s\nBUILD_TIME=%s\n' "${DISTRO_VERSION}" "${PICAM_COMPATIBLE}" \
        "${REPRODUCIBLE_TIMESTAMP_ROOTFS}" > ${IMAGE_ROOTFS}${sysconfdir}/picam-release
}
picam_release[doc] = "Writes /etc/picam-release"
ROOTFS_POSTPROCESS_COMMAND += "picam_release"
