# Off unless the site switches it on: picam-ssh.service of rootfs-overlay starts it.
SYSTEMD_AUTO_ENABLE:${PN}:picam-os = "disable"
