"""The kernel options of both distributions, by Kconfig: nothing that a fragment asks for is dropped without a word, and what
binds to the camera of a Pi's device tree is there in a form that picam's libcamera drives."""

import re

import pytest
from distro.kernel import Kconfig, values
from distro.tree import BOARDS, BUILDROOT_TREE, COMMON, ROOT, assignments

# Known to Raspberry Pi's kernel only, or not yet to the one that is read here. Checked by a build of that kernel.
ELSEWHERE = {
    "CONFIG_VIDEO_IMX708",
    "CONFIG_VIDEO_BCM2835_UNICAM_LEGACY",
    "CONFIG_VIDEO_ISP_BCM2835",
    "CONFIG_VIDEO_RP1_CFE",
    "CONFIG_VIDEO_RP1_CFE_DOWNSTREAM",
}


@pytest.fixture(scope="module")
def kconfig():
    return Kconfig.debians()


def fragments(board):
    """The texts that Buildroot merges onto a board's kernel configuration, in its order."""
    named = assignments(BUILDROOT_TREE / f"configs/picam_{board}_defconfig")["BR2_LINUX_KERNEL_CONFIG_FRAGMENT_FILES"]
    return [(BUILDROOT_TREE / path).read_text() for path in re.findall(r"\$\(BR2_EXTERNAL_PICAM_PATH\)/([^\" ]+)", named)]


@pytest.mark.parametrize("board", BOARDS)
def test_no_option_is_lost(kconfig, board, tmp_path):
    asked = values("\n".join(fragments(board)))
    unknown = {symbol for symbol in asked if not kconfig.knows(symbol.removeprefix("CONFIG_"))}
    assert unknown <= ELSEWHERE
    got = kconfig.merged(fragments(board), tmp_path / "build")
    lost = {symbol: (value, got.get(symbol, "n")) for symbol, value in asked.items() if got.get(symbol, "n") != value}
    assert {symbol: both for symbol, both in lost.items() if symbol not in unknown} == {}, "asked for, got"


def test_yocto_merges_the_same(kconfig, tmp_path):
    append = (ROOT / "meta-picam/recipes-kernel/linux/linux-raspberrypi_%.bbappend").read_text()
    named = re.findall(r"file://([\w-]+\.cfg)", append)
    assert named == ["linux.cfg", "linux-rpi.cfg"]
    assert [(COMMON / name).read_text() for name in named] == fragments("rpi4_64")


# What a Pi's device tree names (compatible) → the drivers that bind to it in Raspberry Pi's kernel: its own, and mainline's
# where that is built instead. picam's libcamera drives either shape: cross/patches/0004.
CAMERA = {
    "sony,imx708": {"VIDEO_IMX708"},
    "dongwoon,dw9807-vcm": {"VIDEO_DW9807_VCM"},
    "brcm,bcm2835-unicam": {"VIDEO_BCM2835_UNICAM_LEGACY", "VIDEO_BCM2835_UNICAM"},
    "vchiq:bcm2835-isp": {"VIDEO_ISP_BCM2835"},
    "raspberrypi,rp1-cfe": {"VIDEO_RP1_CFE_DOWNSTREAM", "VIDEO_RP1_CFE"},
    "raspberrypi,pispbe": {"VIDEO_RASPBERRYPI_PISP_BE"},
}


@pytest.mark.parametrize("board", [board for board in BOARDS if board != "qemu_aarch64"])
def test_the_camera_of_the_device_tree_has_its_drivers(board):
    asked = values("\n".join(fragments(board)))
    for compatible, symbols in CAMERA.items():
        assert [asked.get(f"CONFIG_{symbol}") for symbol in symbols] == ["m"] * len(symbols), compatible


def test_libcamera_drives_both_shapes_of_the_pi_5_s_receiver():
    patch = (ROOT / "cross/patches/0004-rp1-cfe-drivers.patch").read_text()
    assert "rp1-cfe-fe_image0" in patch and "rp1-cfe-fe-image0" in patch
