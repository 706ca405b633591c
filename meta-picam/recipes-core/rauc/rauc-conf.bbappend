# system.conf comes from rootfs-overlay, with the board filled in; the keyring from RAUC_KEYRING_FILE, a path.
FILESEXTRAPATHS:prepend:picam-os := "${PICAM_TOP}/rootfs-overlay/etc/rauc:"

# For check-keyring.
DEPENDS:append:picam-os = " openssl-native"

do_install:append:picam-os() {
    install -d ${D}${sysconfdir}/rauc
    sed -e 's|@COMPATIBLE@|${PICAM_COMPATIBLE}|g' ${UNPACKDIR}/system.conf > ${D}${sysconfdir}/rauc/system.conf
    mv ${D}${nonarch_libdir}/rauc/$(basename ${RAUC_KEYRING_FILE}) ${D}${sysconfdir}/rauc/keyring.pem
    ${PICAM_TOP}/buildroot/scripts/check-keyring ${D}${sysconfdir}/rauc/keyring.pem || bbfatal "RAUC_KEYRING_FILE: see above"
    rm -rf ${D}${nonarch_libdir}
}
