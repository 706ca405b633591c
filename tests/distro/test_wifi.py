"""What the files that picam writes for wpa_supplicant need of it, and whether either distribution's has that. tests/wifi joins
networks with such ones."""

import re
import subprocess

import pytest
from distro.tree import BOARDS, BUILDROOT_TREE, LAYER, MACHINES, OVERLAY, oe_recipes
from wifi import supplicant

WITH_WIFI = [name for name in BOARDS if name != "qemu_aarch64"]


@pytest.fixture(scope="module")
def defconfig():
    return supplicant.defconfig(supplicant.source())


def board_options(name):
    return supplicant.buildroot_options(BUILDROOT_TREE / f"configs/picam_{name}_defconfig")


@pytest.mark.parametrize("name", WITH_WIFI)
def test_buildroots_has_what_is_needed(defconfig, name):
    assert supplicant.lacking(supplicant.configuration("buildroot", defconfig, board_options(name))) == []
    text = (BUILDROOT_TREE / f"configs/picam_{name}_defconfig").read_text()
    for package in ("IW", "WIRELESS_REGDB", "WPA_SUPPLICANT", "WPA_SUPPLICANT_CLI"):
        assert f"\nBR2_PACKAGE_{package}=y\n" in text, package


def test_openembeddeds_has_what_is_needed(defconfig):
    assert supplicant.lacking(supplicant.configuration("openembedded", defconfig)) == []
    # GnuTLS in the place of OpenSSL would take SAE away. Nothing of the layer's touches the recipe.
    assert [path for path in LAYER.rglob("*") if path.is_file() and path.suffix in (".conf", ".inc", ".bbappend", ".yml")
            and re.search(r"pn-wpa-supplicant|gnutls", path.read_text())] == []  # fmt: skip
    assert not list(LAYER.rglob("wpa-supplicant*"))


@pytest.mark.parametrize("machine", MACHINES.values())
def test_openembedded_installs_what_the_scripts_call(machine):
    assert set(oe_recipes(machine)["picam-wifi"]["RDEPENDS:picam-wifi"].split()) >= {"iw", "wpa-supplicant", "wpa-supplicant-cli"}


@pytest.mark.parametrize(("without", "lacks"), [("WPA3", ["SAE=y", "TLS=openssl"]), ("CLI", ["CTRL_IFACE=y"]), ("NL80211", ["DRIVER_NL80211=y"])])
def test_one_that_lacks_something_is_refused(defconfig, without, lacks):
    options = board_options("rpi5") - {without} - supplicant.SELECTS.get(without, set())
    assert supplicant.lacking(supplicant.configuration("buildroot", defconfig, options)) == lacks


def test_what_is_written_is_known(defconfig):
    """Each line of the file depends on an option that is asked for above, or on none."""
    written = (OVERLAY / "usr/lib/picam/wifi").read_text() + (OVERLAY / "usr/lib/picam/wifi-file").read_text()
    for word, option in (("ctrl_interface=", "CTRL_IFACE=y"), ("SAE", "SAE=y"), ("sae_pwe=", "SAE=y"), ("-D nl80211", "DRIVER_NL80211=y")):
        assert word in written and option in supplicant.NEEDED


def on(text):
    return set(re.findall(r"^CONFIG_(\w+=\S+)", text, re.M))


def test_the_table_is_buildroots(buildroot, defconfig, tmp_path):
    """Its own commands make a .config of the same defconfig."""
    options = board_options("rpi5")
    folder = tmp_path / "source/wpa_supplicant"
    folder.mkdir(parents=True)
    (folder / "defconfig").write_text(defconfig)
    lines = [f"BR2_PACKAGE_WPA_SUPPLICANT_{option}=y" for option in options - {"OPENSSL"}]
    lines += ["BR2_PACKAGE_LIBOPENSSL=y"] * ("OPENSSL" in options)
    lines += [f"include {buildroot}/package/wpa_supplicant/wpa_supplicant.mk", f"WPA_SUPPLICANT_DIR={tmp_path}/source"]
    lines += [f"{tmp_path}/source/stamp:", "\t$(WPA_SUPPLICANT_CONFIGURE_CMDS)", ""]
    (tmp_path / "Makefile").write_text("\n".join(lines))
    subprocess.run(["make", "--file", tmp_path / "Makefile", tmp_path / "source/stamp"], check=True, capture_output=True)
    theirs = on((folder / ".config").read_text())
    ours = on(supplicant.configuration("buildroot", defconfig, options))
    assert {option for option in theirs ^ ours if not option.startswith("CTRL_IFACE_DBUS")} == set()


def test_the_recipe_is_openembeddeds(layers):
    (recipe,) = (layers / "openembedded-core/meta/recipes-connectivity/wpa-supplicant").glob("wpa-supplicant_*.bb")
    text = recipe.read_text()
    assert 'PACKAGECONFIG ?= "openssl"' in text and "sed -e '/^CONFIG_TLS=/d' <wpa_supplicant/defconfig" in text
    assert "${PN}-cli" in text
