SUMMARY = "RAUC bundle that updates the picam appliance"
DESCRIPTION = "Boot and root slot of picam-image, signed with RAUC_KEY_FILE."
SECTION = "base"
CVE_PRODUCT = "picam"
LICENSE = "MIT"
PV = "${PICAM_VERSION}"
SRC_URI = ""

inherit bundle

RAUC_BUNDLE_FORMAT = "verity"
RAUC_BUNDLE_COMPATIBLE = "${PICAM_COMPATIBLE}"
RAUC_BUNDLE_VERSION = "${PV}"
RAUC_BUNDLE_SLOTS = "boot rootfs"

RAUC_SLOT_boot = "picam-boot"
RAUC_SLOT_boot[type] = "boot"
RAUC_SLOT_boot[file] = "picam-boot.vfat"
RAUC_SLOT_boot[rename] = "boot.img"

RAUC_SLOT_rootfs = "picam-image"
RAUC_SLOT_rootfs[fstype] = "squashfs-zst"
RAUC_SLOT_rootfs[rename] = "rootfs.img"

# RAUC_KEY_FILE and RAUC_CERT_FILE are paths of this machine, set in local.conf.
