"""A camera and its access point, two radios of software in one machine: Debian's kernel with mac80211_hwsim in qemu,
rootfs-overlay's scripts, hostapd in a network of its own, and the wpa_supplicant of a distribution."""

import shutil
from pathlib import Path

from image.lab.bootfs import pack_initramfs, start_initramfs
from image.lab.guest import ICOUNT, InitramfsGuest, shell_devices
from image.lab.rootfs import LIBRARIES, needed_libraries
from image.lab.tools import GUEST, ROOT, run

from wifi.supplicant import BUILT, build

HERE = Path(__file__).resolve().parent
OVERLAY = ROOT / "rootfs-overlay"
PACKAGES = ["hostapd", "iproute2", "iw", "wireless-regdb"]
MODULES = ["virtio_pci", "virtio_blk", "virtio_console", "virtio_rng", "ext4", "crc32c_generic", "vfat", "nls_cp437", "nls_ascii"]
MODULES += ["veth", "bridge", "ccm", "gcm", "cmac", "mac80211_hwsim"]
NAME, PASSWORD = "net", "correct horse"
WPA2 = f"wpa=2\nwpa_key_mgmt=WPA-PSK\nrsn_pairwise=CCMP\nwpa_passphrase={PASSWORD}\n"
WPA3 = f"wpa=2\nwpa_key_mgmt=SAE\nrsn_pairwise=CCMP\nieee80211w=2\nsae_pwe=2\nsae_password={PASSWORD}\n"
MIXED = f"wpa=2\nwpa_key_mgmt=WPA-PSK SAE\nrsn_pairwise=CCMP\nieee80211w=1\nwpa_passphrase={PASSWORD}\n"
# The access point's side of the network, with the server of addresses.
ROUTER = "10.9.0.1"
# Emulation on shared cores: only a test that would hang waits that long.
SECONDS = 600


def initramfs(name):
    """Where the initramfs with the wpa_supplicant of a distribution is."""
    return BUILT / f"guest-{name}/initramfs.img"


def build_initramfs(name, packages):
    """Writes it."""
    supplicant = build(name, packages)
    tree = initramfs(name).parent / "tree"
    start_initramfs(packages, tree, HERE / "init", MODULES)
    (tree / "modules").write_text("\n".join(MODULES) + "\n")
    shutil.copy(GUEST / "S98shell", tree / "S98shell")
    shutil.copy(HERE / "access-point", tree / "access-point")
    shutil.copytree(OVERLAY / "usr/lib/picam", tree / "usr/lib/picam")
    for file in ("etc/init.d/S40network", "etc/sysctl.d/60-picam.conf"):
        (tree / file).parent.mkdir(parents=True)
        shutil.copy(OVERLAY / file, tree / file)
    programs = packages.unpacked("wifi", packages.with_libraries(PACKAGES))
    firmware = tree / "usr/lib/firmware"
    firmware.mkdir()
    for path in (programs / "usr/lib/firmware").glob("regulatory.db*-debian"):
        shutil.copy(path, firmware / path.name.removesuffix("-debian"))
    # BusyBox's shell prefers its own ip to another one in PATH; so do the scripts, which are meant to.
    places = {
        "sbin/wpa_supplicant": supplicant / "wpa_supplicant",
        "sbin/wpa_cli": supplicant / "wpa_cli",
        "sbin/iw": programs / "usr/sbin/iw",
        "lab/ip": programs / "usr/bin/ip",
        "lab/hostapd": programs / "usr/sbin/hostapd",
    }
    for place, program in places.items():
        (tree / place).parent.mkdir(exist_ok=True)
        shutil.copy(program, tree / place)
    (tree / LIBRARIES).mkdir(parents=True)
    for path in needed_libraries(list(places.values()), programs / LIBRARIES):
        shutil.copy(path, tree / LIBRARIES)
    (tree / "usr/lib/ld-linux-aarch64.so.1").symlink_to(f"/{LIBRARIES}/ld-linux-aarch64.so.1")
    pack_initramfs(tree, initramfs(name))


class Guest(InitramfsGuest):
    """One machine with the wpa_supplicant of the distribution `name`, from start to stop; its card's first partition is the
    file `card`."""

    def __init__(self, name, packages, folder):
        super().__init__(folder)
        self._kernel = packages.kernel_root / "boot" / f"vmlinuz-{packages.kernel}"
        self._initramfs = initramfs(name)
        self.card, self._data = self.folder / "card.img", self.folder / "data.img"
        for path, size, command in ((self.card, 4 << 20, ["mkfs.vfat"]), (self._data, 16 << 20, ["mke2fs", "-q", "-t", "ext4"])):
            with path.open("wb") as image:
                image.truncate(size)
            run(*command, path)

    def _command(self):
        drives = []
        for name, path in (("card", self.card), ("data", self._data)):
            drives += ["-drive", f"file={path},if=none,id={name},format=raw", "-device", f"virtio-blk-pci,drive={name},romfile="]
        return [
            # An access point answers a search within 30 ms, or is not found: by the host's clock it sometimes did not.
            "nice", "-n", "19", "qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72", "-m", "384", *ICOUNT,
            "-nodefaults", "-nographic", "-no-reboot", "-serial", "stdio", "-kernel", str(self._kernel), "-initrd", str(self._initramfs),
            "-append", "console=ttyAMA0 loglevel=4 panic=5 oops=panic",
            "-device", "virtio-rng-pci", *shell_devices(self._shell_path), *drives,
        ]  # fmt: skip

    # The access point

    def access_point(self, security, *lines, name=NAME):
        """Starts it, with more lines for hostapd.conf."""
        text = "\n".join([f"ssid={name}", security.strip(), *lines])
        self.run(f"/access-point start <<'END'\n{text}\nEND", SECONDS)

    def access_point_ends(self, how="stop"):
        """It says goodbye to its stations (stop), or just is not there any more (die)."""
        self.run(f"/access-point {how}", SECONDS)

    # The camera

    def power_on(self, wifi, kept=None):
        """As at its start, with `wifi` as wifi.txt on the card, and in /data/site one that worked before."""
        site = f"cat >/data/site/wifi.txt <<'END'\n{kept}END\n" if kept else ""
        self.run(f"/access-point forget\nmount -o remount,rw /boot\ncat >/boot/wifi.txt <<'END'\n{wifi}END\n{site}"
                 "mount -o remount,ro /boot; sync; /etc/init.d/S40network start", SECONDS)  # fmt: skip

    def power_off(self):
        """Ends what the network's script has started, and forgets all that was kept."""
        self.run("/access-point off", SECONDS)

    def told(self):
        """(state, name of the network, what is wrong) as picam reads them."""
        state, name, error = (self.run("cat /run/picam/wifi").split("\n") + [""])[:3]
        return state.partition(" ")[2], name, error

    def wait_told(self, state, name=NAME, seconds=SECONDS):
        """What is wrong, once the state is this one."""
        wanted = f"{state} {name}"
        self.wait(f'[ "$(sed \'1s/.* //; 2q\' /run/picam/wifi | tr "\\n" " ")" = "{wanted} " ]', seconds)
        return self.told()[2]

    def wait(self, condition, seconds=SECONDS):
        """Waits until a command of the guest's shell succeeds; else the error says what went on."""
        script = f"""(end=$(($(cut -d. -f1 /proc/uptime) + {seconds}))
            until {{ {condition}; }} 2>/dev/null; do
                if [ "$(cut -d. -f1 /proc/uptime)" -ge $end ]; then
                    logread | tail -n 30; tail -n 20 /run/hostapd.log; wpa_cli -i wlan0 status; wpa_cli -i wlan0 scan_results
                    exit 1
                fi
                usleep 200000
            done)"""
        self.run(script, seconds + 120)

    def status(self):
        """What wpa_cli says of the connection."""
        return dict(line.split("=", 1) for line in self.run("wpa_cli -i wlan0 status").splitlines() if "=" in line)

    def on_card(self, name="wifi.txt"):
        """The bytes of a file on the card."""
        return bytes.fromhex(self.run(f"hexdump -v -e '1/1 \"%02x\"' /boot/{name}"))

    def reaches_router(self):
        """Waits for an address and an answer."""
        self.wait(f"ping -c 1 -W 2 {ROUTER} >/dev/null")
