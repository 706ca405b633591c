# system.conf comes from rootfs-overlay, with the board filled in; the keyring from RAUC_KEYRING_FILE, a path.
FILESEXTRAPATHS:prepend:picam-os := "${PICAM_TOP}/rootfs-overlay/etc/rauc:"

do_install:append:picam-os() {
    install -d ${D}${sysconfdir}/rauc
    sed -e 's|@COMPATIBLE@|${PICAM_COMPATIBLE}|g' ${UNPACKDIR}/system.conf > ${D}${sysconfdir}/rauc/system.conf
    mv ${D}${nonarch_libdir}/rauc/$(basename ${RAUC_KEYRING_FILE}) ${D}${sysconfdir}/rauc/keyring.pem
    rm -rf ${D}${nonarch_libdir}
}
