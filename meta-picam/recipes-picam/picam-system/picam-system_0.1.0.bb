SUMMARY = "What turns a root file system into the picam appliance"
DESCRIPTION = "rootfs-overlay's data partition, guard, updates and SSH switch, for systemd."
SECTION = "base"
CVE_PRODUCT = "picam"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=2d8a761e6245e42a487c138cffc6b5d2"

# rootfs-overlay/ and buildroot/board/common/ are shared with the Buildroot image, outside this layer.
# nooelint: oelint.vars.fileextrapaths,oelint.vars.outofcontext
FILESEXTRAPATHS:prepend := "${PICAM_TOP}:"

SRC_URI = "\
    file://LICENSE \
    file://rootfs-overlay \
"

S = "${UNPACKDIR}"

inherit allarch systemd

# For BusyBox's init, or part of another package here: picam, rauc-conf, systemd-resolved.
PICAM_OVERLAY_SKIP = "\
    etc/init.d \
    etc/inittab \
    etc/mdev.conf \
    etc/network \
    etc/picam \
    etc/rauc \
    etc/resolv.conf \
    usr/lib/systemd/system/picam.service \
"

SYSTEMD_SERVICE:${PN} = "picam-data.service picam-guard.service picam-update.timer picam-ssh.service"

do_install() {
    cp -R --no-dereference --preserve=mode,links ${S}/rootfs-overlay/. ${D}/
    for name in ${PICAM_OVERLAY_SKIP}; do
        rm -rf ${D}/$name
    done
    find ${D} -type d -empty -delete
    # Mount points; the root file system is read-only.
    install -d ${D}/data ${D}/boot
}

FILES:${PN} += "\
    /boot \
    /data \
    ${nonarch_libdir}/picam \
    ${systemd_system_unitdir} \
"

RDEPENDS:${PN} = "dosfstools e2fsprogs-e2fsck e2fsprogs-mke2fs picam rauc"
