SUMMARY = "Wi-Fi of the picam appliance"
DESCRIPTION = "wpa_supplicant on wlan0, once the site has put wifi.txt on the card; picam-system has the script."
SECTION = "network"
CVE_PRODUCT = "picam"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=2d8a761e6245e42a487c138cffc6b5d2"

PV = "${PICAM_VERSION}"

# nooelint: oelint.vars.fileextrapaths,oelint.vars.outofcontext
FILESEXTRAPATHS:prepend := "${PICAM_TOP}:"

SRC_URI = "\
    file://LICENSE \
    file://80-wlan0.network \
    file://picam-wifi.service \
    file://picam-wifi-watch.service \
"

S = "${UNPACKDIR}"

inherit systemd

SYSTEMD_SERVICE:${PN} = "picam-wifi.service picam-wifi-watch.service"

do_install() {
    install -D -m 0644 ${S}/picam-wifi.service ${D}${systemd_system_unitdir}/picam-wifi.service
    install -D -m 0644 ${S}/picam-wifi-watch.service ${D}${systemd_system_unitdir}/picam-wifi-watch.service
    install -D -m 0644 ${S}/80-wlan0.network ${D}${systemd_unitdir}/network/80-wlan0.network
}

FILES:${PN} += "${systemd_unitdir}"

RDEPENDS:${PN} = "iw picam-system wpa-supplicant wpa-supplicant-cli"
