"""The scripts that Buildroot runs after a build, and Yocto's boot slot: run on stand-ins for kernel, firmware and
root file system, with the real genimage, mtools, mkfs, mksquashfs and rauc."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from distro.tree import BOARDS, BUILDROOT_TREE, COMMON, MACHINES, OVERLAY, PARTITIONS, ROOT, SIGNATURE, board
from distro.tree import libcamera_source, oe_recipes, version

MIB = 1 << 20
# Init scripts of packages that start what the appliance has no use for.
USELESS = ["S01seedrng", "S30dbus-daemon", "S50crond"]
# start.elf and start4.elf of March 2025 and later name it so often.
START = "boot_partition " * 3
# The board whose firmware only starts U-Boot.
UBOOT = "zero2w_64_uboot"


def run(*command, check=True, **options):
    return subprocess.run([str(c) for c in command], check=check, capture_output=True, text=True, **options)


def listing(image, at=0):
    """Names in a FAT image that starts at byte `at`, folders with a slash at the end."""
    lines = run("mdir", "-b", "-/", "-i", f"{image}@@{at}", "::").stdout.split()
    return {line.removeprefix("::/") for line in lines}


def content(image, name, at=0):
    return run("mcopy", "-n", "-i", f"{image}@@{at}", f"::{name}", "-").stdout


class Build:
    """A Buildroot output folder as it is when the post-build script is called."""

    def __init__(self, folder, name, keys):
        self.name, self.folder = name, folder
        self.images, self.target, self.work = folder / "images", folder / "target", folder / "build"
        for path in (self.images, self.work):
            path.mkdir(parents=True)
        # Buildroot copies the overlay with rsync; the other files stand for the skeleton and the packages.
        shutil.copytree(OVERLAY, self.target, symlinks=True)
        for script in USELESS:
            (self.target / "etc/init.d" / script).write_text("#!/bin/sh\n")
        for pipeline in ("vc4", "pisp"):
            tuning = self.target / f"usr/share/libcamera/ipa/rpi/{pipeline}/imx708.json"
            tuning.parent.mkdir(parents=True)
            tuning.write_text("{}")
        (self.images / "Image").write_bytes(b"kernel" * 1000)
        if name != "qemu_aarch64":
            (self.images / "board.dtb").write_bytes(b"tree")
            firmware = self.images / "rpi-firmware"
            (firmware / "overlays").mkdir(parents=True)
            for file in ("config.txt", "cmdline.txt", "start4.elf", "fixup4.dat", "overlays/imx708.dtbo"):
                (firmware / file).write_text(START if file == "start4.elf" else f"{file} of the firmware\n")
            if name.startswith("zero2w_64"):
                (firmware / "bootcode.bin").write_text("bootcode\n")
            if name == UBOOT:
                (self.images / "u-boot.bin").write_bytes(b"u-boot")
                (self.images / "boot.scr").write_bytes(b"boot.scr")
        (folder / "config").write_text('BR2_PICAM_RAUC_KEY=""\n')
        self.environment = (
            os.environ
            | keys
            | {
                "BR2_CONFIG": str(folder / "config"),
                "BR2_EXTERNAL_PICAM_PATH": str(BUILDROOT_TREE),
                "BUILD_DIR": str(self.work),
                "SOURCE_DATE_EPOCH": "1700000000",
                "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin",
            }
        )

    def script(self, name, folder, check=True, without=()):
        environment = {key: value for key, value in self.environment.items() if key not in without}
        conf = BUILDROOT_TREE / f"board/{self.name}/board.conf"
        return run(COMMON / name, folder, conf, check=check, env=environment)

    def finish(self):
        self.script("post-build.sh", self.target)
        setuid = self.target / "bin/busybox"  # as the package's table of permissions leaves it
        setuid.parent.mkdir(exist_ok=True)
        setuid.write_text("BusyBox\n")
        setuid.chmod(0o6755)
        self.script("post-fakeroot.sh", self.target)
        run("mksquashfs", self.target, self.images / "rootfs.squashfs", "-comp", "zstd", "-all-root", "-quiet")
        return self.script("post-image.sh", self.images)


@pytest.fixture(scope="module", params=BOARDS)
def built(request, tmp_path_factory, keys):
    build = Build(tmp_path_factory.mktemp("output"), request.param, keys)
    build.finish()
    return build


def test_no_program_makes_its_caller_root(built):
    files = run("unsquashfs", "-lls", built.images / "rootfs.squashfs").stdout.splitlines()
    (busybox,) = [line for line in files if line.endswith("/bin/busybox")]
    assert busybox.startswith("-rwxr-xr-x ")
    assert not [line for line in files if "s" in line.split()[0].lower()]


def test_nothing_is_started_that_nobody_needs(built):
    scripts = {path.name for path in (built.target / "etc/init.d").iterdir()}
    assert scripts == {path.name for path in (OVERLAY / "etc/init.d").iterdir()}


def card_partitions(image):
    """Number → (first byte, bytes, type) of the card's partitions, the extended one included."""
    lines = run("sfdisk", "--dump", image, env=os.environ | {"PATH": "/usr/sbin:/sbin:" + os.environ["PATH"]}).stdout
    found = {}
    for line in lines.splitlines():
        if " start=" in line:
            number = int(line.split(" :")[0].removeprefix(str(image)))
            fields = dict(field.strip().split("=", 1) for field in line.split(":", 1)[1].split(",") if "=" in field)
            found[number] = (int(fields["start"]) * 512, int(fields["size"]) * 512, fields["type"])
    return found


def test_card_has_the_partitions_that_a_pi_counts(built):
    parts = card_partitions(built.images / "sdcard.img")
    assert set(parts) == {*PARTITIONS, 4}
    assert {number: size // MIB for number, (_, size, _) in parts.items() if number != 4} == {
        1: 32,
        2: 128,
        3: 128,
        5: 256,
        6: 256,
        7: 512,
    }
    assert [parts[n][2] for n in (1, 2, 3, 5, 6, 7)] == ["c", "c", "c", "83", "83", "83"]


def test_the_disk_has_the_signature_that_the_root_is_found_by(built):
    with open(built.images / "sdcard.img", "rb") as card:
        assert card.read(444)[440:][::-1].hex() == SIGNATURE


def test_autoboot_partition_has_no_firmware_that_boots(built):
    at = card_partitions(built.images / "sdcard.img")[1][0]
    if built.name == UBOOT:
        return _first_partition_starts_uboot(built.images / "sdcard.img", at)
    names = listing(built.images / "sdcard.img", at)
    assert names == ({"autoboot.txt", "bootcode.bin", "config.txt"} if built.name == "zero2w_64" else {"autoboot.txt"})
    assert content(built.images / "sdcard.img", "autoboot.txt", at) == (COMMON / "boot/autoboot.txt").read_text()


def _first_partition_starts_uboot(card, at):
    names = listing(card, at)
    assert {"bootcode.bin", "start4.elf", "u-boot.bin", "boot.scr", "slots.env", "board.dtb", "overlays/imx708.dtbo"} <= names
    assert "autoboot.txt" not in names and "Image" not in names
    config = content(card, "config.txt", at)
    assert config == (COMMON / "boot/config.txt").read_text().replace("kernel=Image", "kernel=u-boot.bin")
    words = content(card, "cmdline.txt", at).split()
    assert "ro" in words and not any(re.match("root=|rauc|.*@", word) for word in words)
    assert content(card, "slots.env", at) == "committed=A\nleft=0\ntrial=-\n"


@pytest.mark.parametrize("file", ["start.elf", "start4.elf"])
def test_firmware_that_cannot_tell_the_slots_apart_is_refused(file, tmp_path, keys):
    build = Build(tmp_path / "output", "rpi4_64", keys)
    (build.images / "rootfs.squashfs").write_bytes(b"root")
    (build.images / "rpi-firmware" / file).write_text("boot_partition in autoboot.txt, boot_partition=%d")
    refused = build.script("post-image.sh", build.images, check=False)
    assert refused.returncode == 1 and "does not know [boot_partition=N]" in refused.stderr
    assert not (build.images / "sdcard.img").exists()


def test_both_boot_slots_hold_the_same_files(built):
    card = built.images / "sdcard.img"
    parts = card_partitions(card)
    boot = (built.images / "boot.vfat").read_bytes()
    with open(card, "rb") as file:
        for number in (2, 3):
            file.seek(parts[number][0])
            assert file.read(len(boot)) == boot
    names = listing(built.images / "boot.vfat")
    if built.name == UBOOT:
        assert names == {"Image"}
        return
    assert {"config.txt", "cmdline-a.txt", "cmdline-b.txt", "Image"} <= names
    assert "cmdline.txt" not in names and "bootcode.bin" not in names
    assert ("overlays/imx708.dtbo" in names) == ("board.dtb" in names) == (built.name != "qemu_aarch64")
    assert content(built.images / "boot.vfat", "config.txt") == (COMMON / "boot/config.txt").read_text()


def test_command_lines_name_their_own_root_and_slot(built):
    if built.name == UBOOT:
        return  # boot.cmd adds them
    facts = board(built.name)
    for letter, number in (("a", 5), ("b", 6)):
        words = content(built.images / "boot.vfat", f"cmdline-{letter}.txt").split()
        assert {
            f"root=PARTUUID={SIGNATURE}-0{number}",
            f"rauc.slot={letter.upper()}",
            f"console={facts['CONSOLE']}",
            "ro",
        } <= set(words)
        assert not any("@" in word for word in words)


def test_both_root_slots_hold_the_root_file_system(built):
    parts = card_partitions(built.images / "sdcard.img")
    root = (built.images / "rootfs.squashfs").read_bytes()
    with open(built.images / "sdcard.img", "rb") as file:
        for number in (5, 6):
            file.seek(parts[number][0])
            assert file.read(len(root)) == root


def test_data_partition_is_an_empty_ext4(built):
    if built.name != "rpi4_64":
        return  # the same command makes it for every board, and reading it takes seconds
    start, size, _ = card_partitions(built.images / "sdcard.img")[7]
    part = built.folder / "data.ext4"
    run("dd", f"if={built.images}/sdcard.img", f"of={part}", "bs=1M", f"skip={start // MIB}", f"count={size // MIB}")
    run("/usr/sbin/e2fsck", "-f", "-n", part)
    assert "Filesystem volume name:   data" in run("/usr/sbin/dumpe2fs", "-h", part).stdout


def test_root_is_fitted_to_its_board(built, keys):
    facts = board(built.name)
    assert (built.target / "etc/picam-release").read_text() == (
        f"VERSION={version()}\nCOMPATIBLE={facts['COMPATIBLE']}\nBUILD_TIME=1700000000\n"
    )
    conf = (built.target / "etc/rauc/system.conf").read_text()
    assert f"compatible={facts['COMPATIBLE']}\n" in conf and "@COMPATIBLE@" not in conf.split("[system]")[1]
    with open(keys["PICAM_RAUC_KEYRING"]) as keyring:
        assert (built.target / "etc/rauc/keyring.pem").read_text() == keyring.read()
    assert (built.target / "data").is_dir() and (built.target / "boot").is_dir()


def test_bundle_is_signed_and_holds_the_slots(built, keys):
    facts = board(built.name)
    bundle = built.images / f"{facts['COMPATIBLE']}-{version()}.raucb"
    info = run("rauc", "info", f"--keyring={keys['PICAM_RAUC_KEYRING']}", bundle).stdout
    assert facts["COMPATIBLE"] in info and version() in info
    assert "verity" in info and "boot.img" in info and "rootfs.img" in info


def test_another_key_does_not_open_the_bundle(built, tmp_path):
    run(BUILDROOT_TREE / "scripts/make-test-keys", tmp_path)
    bundle = next(built.images.glob("*.raucb"))
    refused = run("rauc", "info", f"--keyring={tmp_path}/keyring.pem", bundle, check=False)
    assert refused.returncode != 0 and "signature" in refused.stderr.lower()


def test_image_without_keyring_is_refused(tmp_path, keys):
    build = Build(tmp_path / "output", "rpi5", keys)
    refused = build.script("post-build.sh", build.target, check=False, without=["PICAM_RAUC_KEYRING"])
    assert refused.returncode == 1
    assert "PICAM_RAUC_KEYRING" in refused.stderr and len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", [name for name in BOARDS if name != "qemu_aarch64"])
def test_a_picam_without_the_boards_pipeline_is_refused(name, tmp_path, keys):
    build = Build(tmp_path / "output", name, keys)
    pipeline = {"rpi5": "pisp"}.get(name, "vc4")
    shutil.rmtree(build.target / f"usr/share/libcamera/ipa/rpi/{pipeline}")
    refused = build.script("post-build.sh", build.target, check=False)
    assert refused.returncode == 1 and f"picam has no rpi/{pipeline}" in refused.stderr


def test_keyring_that_is_not_there_is_refused(tmp_path, keys):
    build = Build(tmp_path / "output", "rpi5", keys | {"PICAM_RAUC_KEYRING": "/nowhere.pem"})
    refused = build.script("post-build.sh", build.target, check=False)
    assert refused.returncode == 1 and "/nowhere.pem: no such file" in refused.stderr


def certificates(path):
    """Each certificate of a PEM file, as a text of its own."""
    return re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", Path(path).read_text(), re.S)


def test_keyring_that_ends_soon_is_refused(tmp_path, keys):
    """Ten years, as everybody makes them: a camera lives longer. One certificate that lasts is enough."""
    short, mixed = tmp_path / "short.pem", tmp_path / "mixed.pem"
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=short",
        "-keyout", tmp_path / "key.pem", "-out", short)  # fmt: skip
    mixed.write_text(short.read_text() + certificates(keys["PICAM_RAUC_KEYRING"])[0])
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for keyring, said in ((short, "lasts for 15 years"), (empty, "no certificate in it"), (mixed, None)):
        build = Build(tmp_path / keyring.stem, "rpi5", keys | {"PICAM_RAUC_KEYRING": str(keyring)})
        done = build.script("post-build.sh", build.target, check=False)
        assert (done.returncode, (said or "") in done.stderr) == (1 if said else 0, True), done.stderr


def test_keys_work_in_2046(tmp_path):
    """The authorities never end, and what signs is made anew from either of them."""
    run(BUILDROOT_TREE / "scripts/make-test-keys", tmp_path)
    keyring = tmp_path / "keyring.pem"
    assert len(certificates(keyring)) == 2
    for number, certificate in enumerate(certificates(keyring)):
        (tmp_path / f"{number}.crt").write_text(certificate)
        assert run("openssl", "x509", "-noout", "-enddate", "-in", tmp_path / f"{number}.crt").stdout.strip().endswith("9999 GMT")
    signers = []
    for lost in (None, "ca.key.pem"):
        if lost:
            (tmp_path / lost).unlink()
            run(BUILDROOT_TREE / "scripts/make-test-keys", "--renew", tmp_path)
        signers.append((tmp_path / "cert.pem").read_text())
        run("openssl", "verify", "-purpose", "smimesign", "-CAfile", keyring, tmp_path / "cert.pem")
        assert run("openssl", "x509", "-noout", "-checkend", str(3 * 365 * 86400), "-in", tmp_path / "cert.pem", check=False).returncode
    assert signers[0] != signers[1]


def test_paths_of_the_configuration_are_used(tmp_path, keys):
    build = Build(tmp_path / "output", "rpi5", keys)
    (build.folder / "config").write_text(f'BR2_PICAM_RAUC_KEYRING="{keys["PICAM_RAUC_KEYRING"]}"\n')
    build.script("post-build.sh", build.target, without=["PICAM_RAUC_KEYRING"])
    assert (build.target / "etc/rauc/keyring.pem").exists()


def test_card_without_signing_key_has_no_bundle_and_says_so(tmp_path, keys):
    build = Build(tmp_path / "output", "qemu_aarch64", keys)
    (build.images / "rootfs.squashfs").write_bytes(b"root")
    said = build.script("post-image.sh", build.images, without=["PICAM_RAUC_KEY"]).stderr
    assert "NO UPDATE BUNDLE MADE" in said
    assert (build.images / "sdcard.img").exists() and not list(build.images.glob("*.raucb"))


@pytest.mark.parametrize("name", MACHINES)
def test_yocto_makes_the_boot_slot_that_buildroot_makes(name, tmp_path):
    """The recipe's own commands, expanded by bitbake's parser."""
    task = oe_recipes(MACHINES[name], tmp_path)["picam-boot"]["do_compile"]
    deploy, sources, build = tmp_path / "deploy", tmp_path / "picam-boot/sources", tmp_path / "picam-boot/build"
    (deploy / "bootfiles").mkdir(parents=True)
    build.mkdir(parents=True)
    for file in (
        "Image",
        "board.dtb",
        "imx708.dtbo",
        "bootfiles/start4.elf",
        "bootfiles/fixup4.dat",
        "bootfiles/bootcode.bin",
    ):
        (deploy / file).write_text(START if file.endswith("start4.elf") else file)
    shutil.copytree(COMMON / "boot", sources / "boot")
    run("sh", "-euc", task, env=os.environ | {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
    slot = build / "picam-boot.vfat"
    assert slot.stat().st_size == 112 * MIB
    assert {"config.txt", "cmdline-a.txt", "cmdline-b.txt", "Image", "board.dtb", "overlays/imx708.dtbo"} <= listing(
        slot
    )
    assert "bootcode.bin" not in listing(slot) and "cmdline.txt" not in listing(slot)
    template = (COMMON / "boot/cmdline.txt.in").read_text()
    facts = board(name)
    for letter, number in (("a", "5"), ("b", "6")):
        line = template
        for key, value in (
            ("CONSOLE", facts["CONSOLE"]),
            ("ROOT", number),
            ("SLOT", letter.upper()),
        ):
            line = line.replace(f"@{key}@", value)
        assert content(slot, f"cmdline-{letter}.txt") == line
    expected = {"autoboot.txt", "bootcode.bin", "config.txt"} if name == "zero2w_64" else {"autoboot.txt"}
    assert listing(build / "picam-autoboot.vfat") == expected


def test_hash_is_recorded_only_for_the_tarball_that_was_meant(tarball, tmp_path):
    tree = tmp_path / "buildroot"
    shutil.copytree(BUILDROOT_TREE, tree)
    shutil.copy(ROOT / "Cargo.toml", tmp_path)
    shutil.copytree(ROOT / "cross/parts", tmp_path / "cross/parts")
    script, recorded = tree / "scripts/picam-hash", tree / "patches/picam/picam.hash"
    recorded.unlink(missing_ok=True)
    other = run(script, tarball, "0" * 64, check=False)
    assert other.returncode == 1 and "not 000" in other.stderr and not recorded.exists()
    renamed = shutil.copy(tarball, tmp_path / "picam-9.9.9-aarch64.tar.xz")
    assert "installs version" in run(script, renamed, check=False).stderr
    right = run("sha256sum", tarball).stdout
    (tmp_path / "sum").write_text(right)
    run(script, tarball, tmp_path / "sum")
    assert f"sha256  {right.split()[0]}  {tarball.name}\n" in recorded.read_text()
    source = run("sha256sum", tarball.parent / libcamera_source()).stdout.split()[0]
    assert f"sha256  {source}  {libcamera_source()}\n" in recorded.read_text()
    alone = shutil.copy(tarball, tmp_path)
    assert "so 'make legal-info' will not do" in run(script, alone).stderr and libcamera_source() not in recorded.read_text()
    assert run("git", "-C", ROOT, "check-ignore", BUILDROOT_TREE / "patches/picam/picam.hash").returncode == 0


def test_test_keys_are_not_overwritten(keys):
    folder = os.path.dirname(keys["PICAM_RAUC_KEY"])
    refused = run(BUILDROOT_TREE / "scripts/make-test-keys", folder, check=False)
    assert refused.returncode == 1 and "stays as it is" in refused.stderr
