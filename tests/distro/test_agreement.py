"""What Buildroot, Yocto and rootfs-overlay must agree on: read from their files, nothing is built."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from distro.tree import (
    BOARDS,
    BUILDROOT_TREE,
    COMMON,
    LAYER,
    MACHINES,
    OVERLAY,
    PARTITIONS,
    ROOT,
    SIGNATURE,
    assignments,
    board,
    genimage_partitions,
    oe_recipes,
    rauc_slots,
    sections,
    version,
    wks_partitions,
)


@pytest.fixture(scope="module", params=MACHINES.items(), ids=MACHINES.values())
def machine(request):
    """(Buildroot's board, parsed recipes of the same board's machine)"""
    return request.param[0], oe_recipes(request.param[1])


def test_one_version(machine, tmp_path):
    """Cargo.toml's, in every recipe, in Buildroot's package and in its scripts, whatever it is."""
    _, recipes = machine
    recipes = {name: recipe for name, recipe in recipes.items() if name.startswith("picam") and name != "picam-image"}
    assert len(recipes) >= 6 and {recipe["PV"] for recipe in recipes.values()} == {version()}
    assert {recipe["DISTRO_VERSION"] for recipe in recipes.values()} == {version()}

    shutil.copytree(BUILDROOT_TREE, tmp_path / "buildroot")
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "picam"\nversion = "3.14.15"\n\n[dependencies]\nversion = "9"\n')
    makefile = tmp_path / "Makefile"
    makefile.write_text("include buildroot/package/picam/picam.mk\nall: ; @echo $(PICAM_SOURCE)\n")
    for command in (
        ["make", "--silent", f"BR2_EXTERNAL_PICAM_PATH={tmp_path}/buildroot", "--file", makefile, "all"],
        ["sh", "-c", f". {COMMON}/lib.sh; BR2_EXTERNAL_PICAM_PATH={tmp_path}/buildroot picam_version"],
    ):
        said = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
        assert said.strip() in ("3.14.15", "picam-3.14.15-aarch64.tar.xz")


def test_partitions_are_numbered_alike():
    assert {number: name for number, name, *_ in genimage_partitions()} == PARTITIONS
    assert [number for number, *_ in wks_partitions()] == list(PARTITIONS)
    script = (OVERLAY / "usr/lib/picam/data").read_text()
    assert {int(n): name for n, name in re.findall(r'(\d)\) name="?([\w-]+)', script)} == PARTITIONS


def test_partitions_hold_the_same_and_are_as_large():
    card = genimage_partitions()
    wks = wks_partitions()
    assert [size for *_, size in card] == [size for *_, size in wks]
    assert [image for *_, image, _ in card] == [
        "autoboot.vfat",
        "boot.vfat",
        "boot.vfat",
        "rootfs.squashfs",
        "rootfs.squashfs",
        "data.ext4",
    ]
    # wic gives an MBR partition its type by --system-id; --part-type is for GPT, and an error here.
    assert "--part-type" not in (LAYER / "files/wic/picam-sdcard.wks.in").read_text()
    sources = [source for _, source, _ in wks]
    assert sources[:3] == ["picam-autoboot.vfat", "picam-boot.vfat", "picam-boot.vfat"]
    assert sources[3] == sources[4] and sources[3].endswith(".squashfs-zst") and sources[5] is None


def test_rauc_slots_are_those_partitions():
    slots = rauc_slots()
    names = {name: settings["device"].removeprefix("/dev/picam/") for name, settings in slots.items()}
    assert names == {"boot.0": "boot-a", "rootfs.0": "root-a", "boot.1": "boot-b", "rootfs.1": "root-b"}
    assert [slots[f"rootfs.{n}"]["bootname"] for n in (0, 1)] == ["A", "B"]
    assert all(slots[f"boot.{n}"]["parent"] == f"rootfs.{n}" for n in (0, 1))


def test_boot_partition_picks_command_line_root_and_slot():
    template = (COMMON / "boot/cmdline.txt.in").read_text()
    lines = list(sections(COMMON / "boot/config.txt"))
    picked = {s: line for s, line in lines if line.startswith("cmdline=")}
    a, b = "cmdline=cmdline-a.txt", "cmdline=cmdline-b.txt"
    # The first one is for firmware that does not know the filters: it stands before them.
    assert picked == {"all": a, "boot_partition=2": a, "boot_partition=3": b} and lines[0] == ("all", a)
    # Letter, root partition and slot: the same list in Buildroot's script and in the recipe.
    for text in (
        (COMMON / "post-image.sh").read_text(),
        (LAYER / "recipes-bsp/picam-boot/picam-boot.bb").read_text(),
    ):
        assert " a:5:A b:6:B" in text
    for placeholder in ("root=PARTUUID=7069ca01-0@ROOT@", "rauc.slot=@SLOT@", "console=@CONSOLE@"):
        assert placeholder in template
    assert {"ro", "rootwait", "rootfstype=squashfs", "panic=5"} <= set(template.split())
    assert len(template.splitlines()) == 1


def test_the_root_is_found_on_any_disk():
    """Neither the command line nor the builds name a device; the signature that they name is that of the disk they make."""
    assert f"disk-signature = 0x{SIGNATURE}\n" in (COMMON / "genimage.cfg.in").read_text()
    assert f"bootloader --ptable msdos --diskid 0x{SIGNATURE}\n" in (LAYER / "files/wic/picam-sdcard.wks.in").read_text()
    assert f" root=PARTUUID={SIGNATURE}-0" in (COMMON / "boot/cmdline.txt.in").read_text()
    for symbol in ("USB_STORAGE", "USB_UAS", "BLK_DEV_SD", "BLK_DEV_NVME"):  # built in: there is no initramfs
        assert f"CONFIG_{symbol}=y" in (COMMON / "linux-rpi.cfg").read_text().splitlines(), symbol


def test_autoboot_starts_a_and_tries_b():
    autoboot = (COMMON / "boot/autoboot.txt").read_bytes()
    # The update rewrites the file in place, with the same length.
    assert autoboot == b"[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n[none]\nboot_partition=2\n"
    assert len(autoboot) <= 512


def test_config_txt_finds_the_camera_and_has_the_watchdog():
    lines = list(sections(COMMON / "boot/config.txt"))
    assert all(len(line) <= 80 for line in (COMMON / "boot/config.txt").read_text().splitlines())
    for line in ("camera_auto_detect=1", "dtparam=watchdog=on"):
        assert ("all", line) in lines, line
    # Detection and an overlay at once would load two; an overlay alone is one port of a Pi 5.
    assert not [line for _, line in lines if line.startswith("dtoverlay=imx")]
    # The firmware and the kernel wait as long for the guard.
    (seconds,) = [line.split("=")[1] for _, line in lines if line.startswith("kernel_watchdog_timeout=")]
    assert f"watchdog.open_timeout={seconds}" in (COMMON / "boot/cmdline.txt.in").read_text().split()
    # Else the kernel makes do with a root shell on the console where there is no init: a slot that nobody would ever leave.
    assert "init=/sbin/init" in (COMMON / "boot/cmdline.txt.in").read_text().split()
    assert "CONFIG_WATCHDOG_HANDLE_BOOT_ENABLED=y" in (COMMON / "linux.cfg").read_text()


def test_no_key_stops_uboot():
    for name in BOARDS:
        values = assignments(BUILDROOT_TREE / f"configs/picam_{name}_defconfig")
        if values.get("BR2_TARGET_UBOOT") == "y":
            fragment = values["BR2_TARGET_UBOOT_CONFIG_FRAGMENT_FILES"].strip('"')
            text = (BUILDROOT_TREE / fragment.removeprefix("$(BR2_EXTERNAL_PICAM_PATH)/")).read_text()
            assert "CONFIG_BOOTDELAY=-2" in text.splitlines(), name


def test_no_file_system_takes_all_the_memory():
    mounts = re.findall(r"mount -t tmpfs -o (\S+) tmpfs (\S+)", (OVERLAY / "etc/inittab").read_text())
    assert {place for _, place in mounts} == {"/run", "/tmp", "/dev/shm"}
    assert [place for options, place in mounts if not re.search(r"(^|,)size=\d+M(,|$)", options)] == []
    unit = (OVERLAY / "usr/lib/systemd/system/picam.service").read_text()
    assert re.search(r"^InaccessiblePaths=.*-/dev/shm( |$)", unit, re.M)  # systemd's own has no size


def test_time_servers_are_the_same_and_not_the_public_pool():
    """The pool asks who makes appliances for a zone of his own: ntppool.org, "for vendors"."""
    busybox = (OVERLAY / "etc/picam/ntp-servers").read_text().split()
    systemd = (OVERLAY / "etc/systemd/timesyncd.conf.d/picam.conf").read_text()
    assert busybox and f"FallbackNTP={' '.join(busybox)}\n" in systemd
    assert not [server for server in busybox if re.fullmatch(r"([\w-]+\.)?pool\.ntp\.org", server)]


def test_the_kernel_has_what_the_sandbox_needs_and_no_debuggers():
    lines = (COMMON / "linux.cfg").read_text().splitlines()
    for name in ("SECURITY_LANDLOCK", "SECCOMP_FILTER", "STRICT_DEVMEM"):
        assert f"CONFIG_{name}=y" in lines
    assert 'CONFIG_LSM="landlock"' in lines, "built in is not enough: it must be started, too"
    for name in ("KGDB", "KPROBES", "MAGIC_SYSRQ_SERIAL", "USER_NS"):
        assert f"# CONFIG_{name} is not set" in lines


def test_boards_are_described_alike(machine):
    name, recipes = machine
    facts = board(name)
    boot = recipes["picam-boot"]
    assert boot["PICAM_COMPATIBLE"] == facts["COMPATIBLE"] == recipes["picam-bundle"]["RAUC_BUNDLE_COMPATIBLE"]
    assert boot["PICAM_CONSOLE"] == facts["CONSOLE"]
    assert recipes["picam-bundle"]["RAUC_BUNDLE_FORMAT"] == "verity"


def test_every_board_has_its_own_bundles():
    assert len({board(name)["COMPATIBLE"] for name in BOARDS}) == len(BOARDS)
    assert {
        path.name.removeprefix("picam_").removesuffix("_defconfig") for path in BUILDROOT_TREE.glob("configs/*")
    } == set(BOARDS)


def test_bundles_fill_the_slots_of_system_conf(machine):
    _, recipes = machine
    classes = {name.split(".")[0] for name in rauc_slots()}
    assert set(recipes["picam-bundle"]["RAUC_BUNDLE_SLOTS"].split()) == classes
    manifest = (COMMON / "post-image.sh").read_text()
    assert set(re.findall(r"^\[image\.(\w+)\]", manifest, re.M)) == classes


@pytest.mark.parametrize("name", BOARDS)
def test_defconfig_names_files_that_exist(name):
    values = assignments(BUILDROOT_TREE / f"configs/picam_{name}_defconfig")
    paths = re.findall(r"\$\(BR2_EXTERNAL_PICAM_PATH\)(/[^\" ]+)", " ".join(values.values()))
    assert len(paths) >= 8
    assert [path for path in paths if not (BUILDROOT_TREE / path.lstrip("/")).resolve().exists()] == []
    assert f"board/{name}/board.conf" in values["BR2_ROOTFS_POST_SCRIPT_ARGS"]


def test_wpa_supplicant_takes_the_file_that_flash_md_shows():
    """Buildroot's own choice knows neither the control interface nor SAE, and discards a file that names them whole."""
    sample = re.search(r"^ +ctrl_interface=.*?^ +\}$", (ROOT / "docs/flash.md").read_text(), re.M | re.S)[0]
    needs = {"ctrl_interface=": "CLI", "SAE": "WPA3"}  # CLI selects CTRL_IFACE
    for name in BOARDS:
        values = assignments(BUILDROOT_TREE / f"configs/picam_{name}_defconfig")
        if values.get("BR2_PACKAGE_WPA_SUPPLICANT") == "y":
            for word, option in needs.items():
                assert word in sample and values.get(f"BR2_PACKAGE_WPA_SUPPLICANT_{option}") == "y", (name, option)
        else:
            assert name == "qemu_aarch64"


def test_a_dhcp_server_knows_a_camera_by_the_same_in_both():
    """By its network address, as reservations have it, and with its name. BusyBox's udhcpc sends both of itself if it is not
    told otherwise; networkd would make up an identifier."""
    (call,) = re.findall(r"^\s*(udhcpc .*)$", (OVERLAY / "usr/lib/picam/network").read_text(), re.M)
    assert '-x "hostname:$(hostname)"' in call and not re.search(r" -C\b| -c\b|--clientid|-x (0x3d|61):", call)
    lines = list(sections(LAYER / "recipes-picam/picam-wifi/files/80-wlan0.network"))
    assert ("DHCPv4", "ClientIdentifier=mac") in lines
    assert not [line for _, line in lines if line.startswith("SendHostname=")]


def test_every_kernel_has_a_hash_of_our_own():
    """Buildroot's change with its own configurations, and a build that finds none ends."""
    recorded = (BUILDROOT_TREE / "patches/linux/linux.hash").read_text()
    for name in BOARDS:
        values = assignments(BUILDROOT_TREE / f"configs/picam_{name}_defconfig")
        assert values["BR2_GLOBAL_PATCH_DIR"] == '"$(BR2_EXTERNAL_PICAM_PATH)/patches"'
        if location := values.get("BR2_LINUX_KERNEL_CUSTOM_TARBALL_LOCATION"):
            tarball = location.strip('"').rsplit("/", 1)[1]
        else:
            tarball = f"linux-{values['BR2_LINUX_KERNEL_CUSTOM_VERSION_VALUE'].strip(chr(34))}.tar.xz"
        assert re.search(rf"^sha256  [0-9a-f]{{64}}  {re.escape(tarball)}$", recorded, re.M), tarball


def test_defconfigs_differ_only_in_the_board():
    settings = {name: assignments(BUILDROOT_TREE / f"configs/picam_{name}_defconfig") for name in BOARDS}
    hardware = re.compile(
        r"BR2_(aarch64|cortex|ARM_|LINUX|ROOTFS_POST_SCRIPT_ARGS|"
        r"PACKAGE_(RPI|BRCM|IW|WPA|WIRELESS)|TARGET_UBOOT|PACKAGE_HOST_UBOOT)"
    )
    common = {
        name: {key: value for key, value in values.items() if not hardware.match(key)}
        for name, values in settings.items()
    }
    assert all(values == common["rpi4_64"] for values in common.values())
    for name in MACHINES:
        text = (BUILDROOT_TREE / f"configs/picam_{name}_defconfig").read_text()
        # Without overlays there is no camera.
        assert "# BR2_PACKAGE_RPI_FIRMWARE_INSTALL_DTB_OVERLAYS is not set" not in text


def test_units_that_are_switched_on_exist(machine):
    _, recipes = machine
    units = OVERLAY / "usr/lib/systemd/system"
    for recipe in ("picam", "picam-system"):
        for unit in recipes[recipe][f"SYSTEMD_SERVICE:{recipe}"].split():
            assert "[Install]" in (units / unit).read_text(), unit


# Whose device numbers a module registers when it is loaded; the heaps are built in (linux.cfg).
CLASS_MODULES = {"char-video4linux": "videodev", "char-media": "mc"}


def test_systemd_knows_the_devices_that_it_allows():
    """systemd looks a class up when picam starts; camera drivers load when they like."""
    unit = (OVERLAY / "usr/lib/systemd/system/picam.service").read_text()
    classes = set(re.findall(r"^DeviceAllow=(char-\w+)", unit, re.M))
    assert classes == {*CLASS_MODULES, "char-dma_heap"}
    assert "CONFIG_DMABUF_HEAPS=y" in (COMMON / "linux.cfg").read_text()
    for key in ("After", "Wants"):
        named = re.search(rf"^{key}=(.*)$", unit, re.M)[1].split()
        assert {f"modprobe@{module}.service" for module in CLASS_MODULES.values()} <= set(named), key
    assert re.search(r"^ExecStartPre=-\+/usr/bin/udevadm settle --timeout=\d+$", unit, re.M)


def test_same_user_in_both(machine):
    _, recipes = machine
    makefile = (BUILDROOT_TREE / "package/picam/picam.mk").read_text()
    assert re.search(r"^\tpicam -1 picam -1 \* - /bin/false video ", makefile, re.M)
    assert re.search(r"^\tpicam-announce -1 picam-announce -1 \* - /bin/false - ", makefile, re.M)
    picam, announce = recipes["picam"]["USERADD_PARAM:picam"].split(";")
    assert picam.split()[-3:] == ["--groups", "video", "picam"]
    assert announce.split()[-2:] == ["--user-group", "picam-announce"]
    # The distributions make the user: a list of the overlay's own would hide theirs.
    assert not any((OVERLAY / f"etc/{name}").exists() for name in ("passwd", "group", "shadow"))


# Not in the Yocto image: BusyBox's init, its clock and resolver, and a link that a recipe makes itself.
BUSYBOX_ONLY = {"etc/inittab", "etc/mdev.conf", "etc/picam/ntp-servers", "etc/resolv.conf", "etc/systemd/system/rauc-mark-good.service"}


def test_yocto_takes_all_of_the_overlay_but_busyboxes(machine):
    """A file that is new in the overlay must be put into a recipe, or into the list above."""
    _, recipes = machine
    taken = {entry.removeprefix("file://") for entry in recipes["picam-system"]["SRC_URI"].split()}
    taken |= {"etc/picam/picam.toml", "etc/rauc/system.conf"}
    taken |= {f"usr/lib/systemd/system/{unit}.service" for unit in ("picam", "picam-announce")}
    for path in OVERLAY.rglob("*"):
        name = str(path.relative_to(OVERLAY))
        if (path.is_file() or path.is_symlink()) and name not in BUSYBOX_ONLY and not name.startswith("etc/init.d/"):
            assert name in taken or str(Path(name).parent) in taken, name


def test_rauc_is_not_committed_by_meta_rauc():
    # Its service marks every slot good that boots, which would end the trial before it began.
    assert 'BAD_RECOMMENDATIONS += "rauc-mark-good"' in (LAYER / "conf/distro/picam-os.conf").read_text()


def test_nothing_secret_is_in_the_tree():
    for folder in (BUILDROOT_TREE, LAYER, OVERLAY):
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                assert b"PRIVATE KEY-----" not in path.read_bytes(), path.relative_to(ROOT)
