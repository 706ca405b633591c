"""A wpa_supplicant and a wpa_cli with the options that OpenEmbedded or Buildroot compile, made from Debian's source of them.

Debian's own have more: a wpa_cli with readline, for one, which says each event at once. Either distribution starts from
the defconfig of the source. What each then changes in it is written down here as far as the Wi-Fi of a camera depends on
it, Buildroot's by the defconfig of picam's board; tests/distro/test_wifi.py compares it with the distributions' own files
where they are at hand. Neither has D-Bus here, which nothing of picam's uses.
"""

import hashlib
import platform
import re
import subprocess
from pathlib import Path

from image.lab.packages import Apt
from image.lab.tools import CACHE, ROOT

DEFCONFIG = ROOT / "buildroot/configs/picam_rpi5_defconfig"
BUILT = ROOT / "target/wifi"
NAMES = ("openembedded", "buildroot")
# What usr/lib/picam/wifi and the file that it writes need: without one of these a line of it is unknown, and the whole
# file is refused; or there is nothing to ask.
NEEDED = ("CTRL_IFACE=y", "DRIVER_NL80211=y", "SAE=y", "TLS=openssl")
# Buildroot's package/wpa_supplicant: its option, what that switches on, and what its absence switches off.
SWITCHES = {
    "AP_SUPPORT": ("AP P2P", "AP P2P"),
    "CTRL_IFACE": ("", "CTRL_IFACE"),
    "DEBUG_SYSLOG": ("", "DEBUG_SYSLOG"),
    "EAP": ("", "EAP IEEE8021X_EAPOL FILS"),
    "HOTSPOT": ("", "HS20 INTERWORKING"),
    "IBSS_RSN": ("", "IBSS_RSN"),
    "MESH_NETWORKING": ("MESH", "MESH"),
    "NL80211": ("LIBNL32", "DRIVER_NL80211"),
    "WEXT": ("", "DRIVER_WEXT"),
    "OVERRIDES": ("HT_OVERRIDES VHT_OVERRIDES HE_OVERRIDES", "HT_OVERRIDES VHT_OVERRIDES HE_OVERRIDES"),
    "SMARTCARD": ("SMARTCARD", "SMARTCARD"),
    "WIFI_DISPLAY": ("WIFI_DISPLAY", "WIFI_DISPLAY"),
    "WIRED": ("DRIVER_WIRED MACSEC DRIVER_MACSEC_LINUX", "DRIVER_WIRED MACSEC DRIVER_MACSEC_LINUX"),
    "WPA3": ("DPP SAE SAE_PK OWE SUITEB SUITEB192", "DPP SAE SAE_PK OWE SUITEB SUITEB192"),
    "WPS": ("", "WPS"),
}
# Its Config.in: on by itself; wpa_cli brings the control interface; WPA3 brings OpenSSL, which RAUC has already.
DEFAULTS = {"NL80211"}
SELECTS = {"CLI": {"CTRL_IFACE"}, "WPA3": {"OPENSSL"}}
ALWAYS = "INTERNAL_LIBTOMMATH MATCH_IFACE"
PACKAGES = ["libnl-3-dev", "libnl-genl-3-dev", "libnl-route-3-dev", "libssl-dev"]


def buildroot_options(board=DEFCONFIG):
    """The options of Buildroot's package that a defconfig of picam's switches on, and those that they bring."""
    found = set(re.findall(r"^BR2_PACKAGE_WPA_SUPPLICANT_(\w+)=y$", Path(board).read_text(), re.M)) | DEFAULTS
    return found.union(*(SELECTS.get(option, ()) for option in found))


def configuration(name, defconfig, options=None):
    """The .config that a distribution makes of the source's defconfig, as far as picam depends on it."""
    lines = [line for line in defconfig.splitlines() if not re.match(r"#?CONFIG_CTRL_IFACE_DBUS", line)]
    if name == "openembedded":
        lines = [line for line in lines if not line.startswith("CONFIG_TLS=")] + ["CONFIG_TLS=openssl"]
    else:
        lines = _buildroots(lines, buildroot_options() if options is None else options)
    return "\n".join(lines) + "\n"


def _buildroots(lines, options):
    """As its sed does it: what is on or off takes those along whose names begin so, and an option more is put at the end."""
    on, off = ALWAYS.split(), []
    for option, (switched_on, switched_off) in SWITCHES.items():
        if option in options:
            on += switched_on.split()
        else:
            off += switched_off.split()
    text = "\n".join(lines)
    for word in on:
        text = re.sub(rf"^#(CONFIG_{word})", r"\1", text, flags=re.M)
    for word in off:
        end = r"\b" if word == "CTRL_IFACE" else ""
        text = re.sub(rf"^(CONFIG_{word}{end})", r"#\1", text, flags=re.M)
    if "OPENSSL" in options:
        text = text.replace("#CONFIG_TLS=openssl", "CONFIG_TLS=openssl")
    else:
        text = re.sub(r"#CONFIG_TLS=.*", "CONFIG_TLS=internal", text)
    return text.splitlines() + [f"CONFIG_{word}=y" for word in on if not re.search(rf"^CONFIG_{word}", text, re.M)]


def lacking(text):
    """What of NEEDED a .config does not have."""
    on = set(re.findall(r"^CONFIG_(\w+=\S+)", text, re.M))
    return [option for option in NEEDED if option not in on]


def source():
    """The tarball of wpa_supplicant's source in the guest's release of Debian, 2.10. The distributions have 2.11 and 2.12."""
    return Apt(CACHE, "apt-source", types="deb deb-src").source("wpa")


def defconfig(tarball):
    """What both distributions start from."""
    return _run(tarball.parent, "tar", "-xOf", tarball, "--wildcards", "*/wpa_supplicant/defconfig")


def build(name, packages):
    """The folder with wpa_supplicant and wpa_cli of a distribution, for the guest of `packages`; made once for each
    configuration and version, in a minute or two."""
    tarball = source()
    text = configuration(name, defconfig(tarball))
    assert not lacking(text), f"{name}'s wpa_supplicant has no {lacking(text)}: the files that picam writes would be refused"
    digest = hashlib.sha256((tarball.name + text).encode()).hexdigest()
    folder = BUILT / f"{name}-{digest[:12]}"
    place = folder / "wpa_supplicant"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _run(folder, "tar", "-xf", tarball, "--strip-components=1")
        (place / ".config").write_text(text)
        _compile(place, packages.unpacked("wifi-headers", packages.with_libraries(PACKAGES)) / "usr")
        (folder / "complete").touch()
    return place


def _compile(place, libraries):
    prefix = "" if platform.machine() == "aarch64" else "aarch64-linux-gnu-"
    here = libraries / "lib/aarch64-linux-gnu"
    variables = {
        "CC": f"{prefix}gcc",
        "PKG_CONFIG": "false",
        "LIBNL_INC": f"{libraries}/include/libnl3",
        # They want the guest's C library, which is newer than the compiler's.
        "LDFLAGS": f"-L{here} -Wl,-rpath-link={here} -Wl,--allow-shlib-undefined",
    }
    environment = {"PATH": "/usr/bin:/bin", "CFLAGS": f"-MMD -O1 -w -I{libraries}/include -I{libraries}/include/aarch64-linux-gnu"}
    words = [f"{key}={value}" for key, value in variables.items()]
    _run(place, "make", "--jobs", "2", *words, "wpa_supplicant", "wpa_cli", env=environment)
    for program in ("wpa_supplicant", "wpa_cli"):
        _run(place, f"{prefix}strip", program)


def _run(folder, *command, **options):
    done = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}: {done.stdout[-1000:]}{done.stderr[-2000:]}"
    return done.stdout
