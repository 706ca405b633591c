SUMMARY = "Updates of the picam appliance from a hawkBit server"
DESCRIPTION = "rauc-hawkbit-updater, configured by /data/site/hawkbit.conf; the guard restarts into the new slot."
SECTION = "base"
CVE_PRODUCT = "picam"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=2d8a761e6245e42a487c138cffc6b5d2"

PV = "${PICAM_VERSION}"

# nooelint: oelint.vars.fileextrapaths,oelint.vars.outofcontext
FILESEXTRAPATHS:prepend := "${PICAM_TOP}:"

SRC_URI = "\
    file://LICENSE \
    file://picam.conf \
    file://picam-hawkbit.conf \
    file://picam-report.service \
"

S = "${UNPACKDIR}"

inherit systemd

SYSTEMD_SERVICE:${PN} = "picam-report.service"

do_install() {
    install -D -m 0644 ${S}/picam.conf ${D}${systemd_system_unitdir}/rauc-hawkbit-updater.service.d/picam.conf
    install -D -m 0644 ${S}/picam-report.service ${D}${systemd_system_unitdir}/picam-report.service
    install -D -m 0644 ${S}/picam-hawkbit.conf ${D}${sysconfdir}/dbus-1/system.d/picam-hawkbit.conf
}

FILES:${PN} += "${systemd_system_unitdir}"

# curl: BusyBox's wget cannot PUT.
RDEPENDS:${PN} = "curl picam-system rauc-hawkbit-updater"
