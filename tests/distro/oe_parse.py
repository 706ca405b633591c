"""Parses meta-picam with bitbake's own parser, with no other layer at hand: oe_parse.py MACHINE [WORK]

Catches syntax errors, variables that do not expand and files that a recipe names and the repository does not have.
Classes are empty stand-ins, so what a class would do is not looked at. Prints one JSON object: recipe name → its
variables and tasks, expanded as if it were built in the folder WORK.
"""

import json
import os
import re
import sys
import tempfile
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAYER = ROOT / "meta-picam"

# What the recipes use of OpenEmbedded's bitbake.conf.
BITBAKE_CONF = """
PN = "${@bb.parse.vars_from_file(d.getVar('FILE', False), d)[0] or 'defaultpkgname'}"
PV = "${@bb.parse.vars_from_file(d.getVar('FILE', False), d)[1] or '1.0'}"
BPN = "${PN}"
FILE_DIRNAME = "${@os.path.dirname(d.getVar('FILE', False) or '')}"
WORKDIR = "@WORK@/${PN}"
UNPACKDIR = "${WORKDIR}/sources"
B = "${WORKDIR}/build"
D = "${WORKDIR}/image"
sysconfdir = "/etc"
bindir = "/usr/bin"
datadir = "/usr/share"
nonarch_libdir = "/usr/lib"
systemd_unitdir = "/usr/lib/systemd"
systemd_system_unitdir = "/usr/lib/systemd/system"
COMMON_LICENSE_DIR = "/licences"
DEPLOY_DIR_IMAGE = "@WORK@/deploy"
DEPLOYDIR = "@WORK@/deployed"
IMGDEPLOYDIR = "@WORK@/images"
IMAGE_LINK_NAME = "${PN}-${MACHINE}"
IMAGE_ROOTFS = "@WORK@/rootfs"
BOOTFILES_DIR_NAME = "bootfiles"
KERNEL_IMAGETYPE = "Image"
MACHINE_ARCH = "machine"
RAUC_KEYRING_FILE = "keyring.pem"
OVERRIDES = "${MACHINE}:${DISTRO}"
require conf/distro/${DISTRO}.conf
"""

# meta-raspberrypi's machine configuration defines it.
DEVICE_TREES = """
def make_dtb_boot_files(d):
    return 'board.dtb imx708.dtbo;overlays/imx708.dtbo'
"""

REPORTED = re.compile(
    r"PV|PICAM_[A-Z0-9_]+|SRC_URI|RAUC_(BUNDLE|SLOT)_\w+|SYSTEMD_SERVICE:.*|USERADD_PARAM:.*|DISTRO_VERSION|"
    r"IMAGE_INSTALL|IMAGE_FSTYPES|RDEPENDS:.*|WKS_FILE|do_compile|do_install"
)


def load_bitbake():
    """bitbake's modules. The PyPI package leaves out the servers' client modules, which parsing never calls."""
    for name in ("hashserv", "hashserv.client", "prserv", "prserv.serv", "codegen", "simplediff", "bs4"):
        if name not in sys.modules:
            try:
                __import__(name)
            except ImportError:
                sys.modules[name] = types.ModuleType(name)
    import bb.data_smart
    import bb.parse
    import bb.cookerdata  # noqa: F401 - registers what the parser needs


def unexpanded(data, names):
    """NAME: VALUE of each variable that still has a ${…} in it after expansion."""
    for name in names:
        value = data.getVar(name)
        if isinstance(value, str) and re.search(r"\$\{[A-Za-z_@]", value) and not data.getVarFlag(name, "func"):
            yield f"{name}: {value}"


def missing_files(data):
    """file:// entries of SRC_URI that are in none of the folders bitbake would look in, but for the tarball."""
    folders = (data.getVar("FILESEXTRAPATHS") or "").replace("__default:", "").split(":")
    recipe = Path(data.getVar("FILE")).parent
    folders += [str(recipe / data.getVar("BPN")), str(recipe / "files")]
    for entry in (data.getVar("SRC_URI") or "").split():
        name = entry.removeprefix("file://").split(";")[0]
        if not entry.startswith("file://") or name.endswith(".tar.xz"):
            continue
        if not any(folder and (Path(folder) / name).exists() for folder in folders):
            yield f"{entry} is in none of {folders}"


def parse(machine, work):
    import bb

    recipes, problems = {}, []
    with tempfile.TemporaryDirectory() as stand_in:
        base = Path(stand_in)
        (base / "conf").mkdir()
        (base / "conf/bitbake.conf").write_text(BITBAKE_CONF.replace("@WORK@", work))
        (base / "classes").mkdir()
        sources = sorted([*LAYER.glob("recipes-*/*/*.bb"), *LAYER.glob("recipes-*/*/*.bbappend")])
        for source in sources:
            for line in re.findall(r"^inherit (.+)$", source.read_text(), re.M):
                for name in line.split():
                    (base / f"classes/{name}.bbclass").touch()
        (base / "classes/deploy.bbclass").write_text(DEVICE_TREES)

        config = bb.data_smart.DataSmart()
        config.setVar("BBPATH", f"{base}:{LAYER}")
        config.setVar("TOPDIR", str(base))
        config.setVar("MACHINE", machine)
        config.setVar("DISTRO", "picam-os")
        config.setVar("LAYERDIR", str(LAYER))
        config.setVar("BB_SIGNATURE_HANDLER", "noop")
        for path in (LAYER / "conf/layer.conf", base / "conf/bitbake.conf"):
            config = bb.parse.handle(str(path), config, include=True)
        bb.parse.init_parser(config)
        for source in sources:
            data = bb.data.createCopy(config)
            recipe = source
            if source.suffix == ".bbappend":
                # Appended to a recipe with nothing in it; the real one is in another layer.
                recipe = base / (source.stem.replace("_%", "") + ".bb")
                recipe.write_text("do_install() {\n    :\n}\n")
                data.setVar("__BBAPPEND", str(source))
            data.setVar("FILE", str(recipe))
            data.setVar("FILESEXTRAPATHS", "__default:")
            data.setVar("__bbclasstype", "recipe")
            parsed = bb.parse.handle(str(recipe), data)
            data = parsed[""] if isinstance(parsed, dict) else data
            if source.suffix == ".bb":
                # Outside a recipe's own variables there are those of the classes that are not here.
                own = [name for name in data.keys() if re.match(r"PICAM|SRC_URI|RAUC|SYSTEMD_S|FILES|RDEPENDS", name)]
                problems += [f"{source.name}: {text}" for text in unexpanded(data, own)]
            problems += [f"{source.name}: {text}" for text in missing_files(data)]
            name = source.stem.split("_")[0] + (".bbappend" if source.suffix == ".bbappend" else "")
            recipes[name] = {key: data.getVar(key) for key in sorted(data.keys()) if REPORTED.fullmatch(key)}
    return recipes, problems


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    load_bitbake()
    found, wrong = parse(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "/work")
    for text in wrong:
        print(text, file=sys.stderr)
    print(json.dumps(found, indent=1))
    sys.exit(1 if wrong else 0)
