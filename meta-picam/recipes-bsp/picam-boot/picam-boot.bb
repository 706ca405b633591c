SUMMARY = "Boot slot and autoboot partition of the picam appliance"
DESCRIPTION = "Firmware, kernel, device trees and one command line per slot, as two FAT images."
SECTION = "bootloaders"
CVE_PRODUCT = "picam"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=2d8a761e6245e42a487c138cffc6b5d2"

DEPENDS = "dosfstools-native mtools-native"
PV = "${PICAM_VERSION}"

# rootfs-overlay/ and buildroot/board/common/ are shared with the Buildroot image, outside this layer.
# nooelint: oelint.vars.fileextrapaths,oelint.vars.outofcontext
FILESEXTRAPATHS:prepend := "${PICAM_TOP}:${PICAM_TOP}/buildroot/board/common:"

SRC_URI = "\
    file://LICENSE \
    file://boot \
"

S = "${UNPACKDIR}"

COMPATIBLE_MACHINE = "^rpi$"
INHIBIT_DEFAULT_DEPS = "1"
PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit deploy nopackages

# Entries of meta-raspberrypi's form FILE or FILE;NAME-IN-THE-BOOT-PARTITION
PICAM_BOOT_DTBS = "${@make_dtb_boot_files(d)}"

do_configure[noexec] = "1"

do_compile[depends] += "rpi-bootfiles:do_deploy virtual/kernel:do_deploy"
do_compile[cleandirs] = "${B}"
do_compile() {
    slot=${B}/slot
    install -d $slot/overlays
    cp ${DEPLOY_DIR_IMAGE}/${BOOTFILES_DIR_NAME}/*.elf ${DEPLOY_DIR_IMAGE}/${BOOTFILES_DIR_NAME}/*.dat $slot/
    ${PICAM_TOP}/buildroot/scripts/check-firmware $slot || bbfatal "rpi-bootfiles: see above"
    cp ${DEPLOY_DIR_IMAGE}/${KERNEL_IMAGETYPE} $slot/Image
    for entry in ${@' '.join("'%s'" % e for e in (d.getVar('PICAM_BOOT_DTBS') or '').split())}; do
        cp ${DEPLOY_DIR_IMAGE}/${entry%%;*} $slot/${entry##*;}
    done
    cp ${S}/boot/config.txt $slot/
    for name in a:5:A b:6:B; do
        number=${name#*:}
        sed -e 's|@CONSOLE@|${PICAM_CONSOLE}|' -e "s|@ROOT@|${number%:*}|" -e "s|@SLOT@|${name##*:}|" ${S}/boot/cmdline.txt.in > $slot/cmdline-${name%%:*}.txt
    done

    # Sizes, labels and volume ids as in buildroot/board/common/genimage.cfg.in
    truncate -s 112M ${B}/picam-boot.vfat
    mkfs.vfat -F 32 -i 7069ca02 --invariant -n BOOT ${B}/picam-boot.vfat
    mcopy -s -i ${B}/picam-boot.vfat $slot/* ::
    truncate -s 32M ${B}/picam-autoboot.vfat
    mkfs.vfat -F 16 -i 7069ca00 --invariant -n AUTOBOOT ${B}/picam-autoboot.vfat
    mcopy -i ${B}/picam-autoboot.vfat ${S}/boot/autoboot.txt ::
}

# Pis before 4 load bootcode.bin from the first partition. start.elf must not be there: the firmware would take
# that partition for a bootable one. Perhaps bootcode.bin boots nothing without a config.txt beside it.
do_compile:append:raspberrypi0-2w-64() {
    : > ${B}/config.txt
    mcopy -i ${B}/picam-autoboot.vfat ${DEPLOY_DIR_IMAGE}/${BOOTFILES_DIR_NAME}/bootcode.bin ${B}/config.txt ::
}

do_deploy() {
    install -m 0644 ${B}/picam-boot.vfat ${B}/picam-autoboot.vfat ${DEPLOYDIR}/
}
addtask deploy after do_compile before do_build
