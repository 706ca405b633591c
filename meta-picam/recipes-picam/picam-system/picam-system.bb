SUMMARY = "What turns a root file system into the picam appliance"
DESCRIPTION = "rootfs-overlay's data partition, guard, updates and SSH switch, for systemd."
SECTION = "base"
CVE_PRODUCT = "picam"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=2d8a761e6245e42a487c138cffc6b5d2"

PV = "${PICAM_VERSION}"

# rootfs-overlay/ and buildroot/board/common/ are shared with the Buildroot image, outside this layer.
# nooelint: oelint.vars.fileextrapaths,oelint.vars.outofcontext
FILESEXTRAPATHS:prepend := "${PICAM_TOP}:${PICAM_TOP}/rootfs-overlay:"

# The rest of rootfs-overlay is for BusyBox's init, or part of another package here: picam, rauc-conf.
SRC_URI = "\
    file://LICENSE \
    file://etc/dbus-1/system-local.conf \
    file://etc/sysctl.d/60-picam.conf \
    file://etc/systemd/journald.conf.d/picam.conf \
    file://etc/systemd/timesyncd.conf.d/picam.conf \
    file://etc/udev/rules.d/60-picam.rules \
    file://usr/bin/picam-update \
    file://usr/lib/picam \
    file://usr/lib/systemd/system/picam-data.service \
    file://usr/lib/systemd/system/picam-guard.service \
    file://usr/lib/systemd/system/picam-ssh.service \
    file://usr/lib/systemd/system/picam-update.service \
    file://usr/lib/systemd/system/picam-update.timer \
"

S = "${UNPACKDIR}"

inherit systemd

SYSTEMD_SERVICE:${PN} = "picam-data.service picam-guard.service picam-update.timer picam-ssh.service"

do_install() {
    install -d ${D}/data ${D}/boot
    cp -R --no-dereference --preserve=mode,links ${S}/etc ${S}/usr ${D}/
    # The guard commits a new slot once picam serves fresh frames; RAUC's own service would at every boot.
    install -d ${D}${sysconfdir}/systemd/system
    ln -s /dev/null ${D}${sysconfdir}/systemd/system/rauc-mark-good.service
}

FILES:${PN} += "\
    /boot \
    /data \
    ${nonarch_libdir}/picam \
    ${systemd_system_unitdir} \
"

RDEPENDS:${PN} = "dosfstools e2fsprogs-e2fsck e2fsprogs-mke2fs picam rauc"
