SUMMARY = "MJPEG streaming appliance for a Raspberry Pi with one Camera Module 3"
DESCRIPTION = "The prebuilt static executable with its libcamera tuning files, as 'make dist' packs them."
SECTION = "multimedia"
CVE_PRODUCT = "picam"
LICENSE = "MIT & LGPL-2.1-or-later & BSD-2-Clause"
LIC_FILES_CHKSUM = "file://share/doc/picam/LICENSE;md5=2d8a761e6245e42a487c138cffc6b5d2"

PV = "${PICAM_VERSION}"

# Where the tarball is: a folder of this machine, or a URL together with PICAM_SHA256.
PICAM_DIST_DIR ?= "${PICAM_TOP}/dist"
PICAM_DIST_URI ?= "file://picam-${PV}-aarch64.tar.xz"
PICAM_SHA256 ?= ""

# rootfs-overlay/ and buildroot/board/common/ are shared with the Buildroot image, outside this layer.
# nooelint: oelint.vars.fileextrapaths,oelint.vars.outofcontext
FILESEXTRAPATHS:prepend := "${PICAM_DIST_DIR}:${PICAM_TOP}/rootfs-overlay/etc/picam:${PICAM_TOP}/rootfs-overlay/usr/lib/systemd/system:"

SRC_URI = "\
    ${PICAM_DIST_URI} \
    file://picam.toml \
    file://picam-announce.service \
    file://picam.service \
"
SRC_URI[sha256sum] = "${PICAM_SHA256}"

S = "${UNPACKDIR}/picam-${PV}-aarch64"

# Linked and stripped by 'make dist'
INHIBIT_PACKAGE_DEBUG_SPLIT = "1"
INHIBIT_PACKAGE_STRIP = "1"

inherit bin_package deploy systemd useradd

# bitbake refuses to parse anything at all while a file of SRC_URI is missing: without the tarball only picam is missing.
# nooelint: oelint.task.noanonpython
python () {
    name = d.getVar("PICAM_DIST_URI").removeprefix("file://")
    tarball = os.path.join(d.getVar("PICAM_DIST_DIR"), name)
    if d.getVar("PICAM_DIST_URI").startswith("file://"):
        bb.parse.mark_dependency(d, tarball)
        if not os.path.exists(tarball):
            raise bb.parse.SkipRecipe(tarball + " is missing: 'make dist' makes it, PICAM_DIST_DIR says where it is")
}

COMPATIBLE_HOST = "aarch64.*-linux"

SYSTEMD_SERVICE:${PN} = "picam.service picam-announce.service"

USERADD_PACKAGES = "${PN}"
# The group video owns the camera's device nodes and the DMA heaps.
USERADD_PARAM:${PN} = "\
    --system --no-create-home --home-dir /nonexistent --shell /bin/false --user-group --groups video picam; \
    --system --no-create-home --home-dir /nonexistent --shell /bin/false --user-group picam-announce \
"

do_install() {
    install -D -m 0755 ${S}/bin/picam ${D}${bindir}/picam
    install -D -m 0755 ${S}/bin/picam-announce ${D}${bindir}/picam-announce
    install -d ${D}${datadir}
    cp -R --no-dereference --preserve=mode,links ${S}/share/. ${D}${datadir}/
    install -D -m 0644 ${UNPACKDIR}/picam.toml ${D}${sysconfdir}/picam/picam.toml
    install -D -m 0644 ${UNPACKDIR}/picam.service ${D}${systemd_system_unitdir}/picam.service
    install -D -m 0644 ${UNPACKDIR}/picam-announce.service ${D}${systemd_system_unitdir}/picam-announce.service
}

# The SBOM goes beside the images: create-spdx sees picam as one package.
do_deploy() {
    install -m 0644 ${S}/share/doc/picam/picam.cdx.json ${DEPLOYDIR}/
}
addtask deploy after do_install before do_build

FILES:${PN} += "\
    ${datadir}/libcamera \
    ${datadir}/libpisp \
    ${systemd_system_unitdir}/picam.service \
    ${systemd_system_unitdir}/picam-announce.service \
"
CONFFILES:${PN} += "${sysconfdir}/picam/picam.toml"
