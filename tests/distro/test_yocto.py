"""meta-picam: linted and parsed with nothing else at hand; with the real layers: make test-distro OE_LAYERS=DIR"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from distro.tree import LAYER, MACHINES, oe_recipes

# homepageping asks the network. There is no public address to name as HOMEPAGE or BUGTRACKER. Nothing here is built for
# the build machine, which is what BBCLASSEXTEND is about. The version is Cargo.toml's, and in no file's name.
SUPPRESSED = (
    "oelint.vars.homepageping",
    "oelint.var.mandatoryvar.HOMEPAGE",
    "oelint.var.suggestedvar.BUGTRACKER",
    "oelint.var.bbclassextend",
    "oelint.file.underscores",
)


def test_oelint_finds_nothing():
    files = [path for path in LAYER.rglob("*") if path.suffix in (".bb", ".bbappend", ".conf", ".inc", ".bbclass")]
    files = [path for path in files if "files" not in path.relative_to(LAYER).parts]
    assert len(files) >= 12
    command = [
        Path(sys.executable).with_name("oelint-adv"),
        "--quiet",
        "--release",
        "wrynose",
        "--extra-layer",
        "rauc",
        "--constantmods",
        f"+{Path(__file__).with_name('oelint.json')}",
    ]
    for rule in SUPPRESSED:
        command += ["--suppress", rule]
    done = subprocess.run([*command, *files], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr.strip(), done.stderr


@pytest.mark.parametrize("machine", MACHINES.values())
def test_bitbake_parses_every_recipe(machine):
    recipes = oe_recipes(machine)
    assert {"picam", "picam-system", "picam-boot", "picam-image", "picam-bundle"} <= set(recipes)
    assert {"rauc-conf.bbappend", "linux-raspberrypi.bbappend"} <= set(recipes)
    assert "picam-system" in recipes["picam-image"]["IMAGE_INSTALL"]


def test_layer_has_what_the_project_asks_of_a_layer():
    readme = (LAYER / "README.md").read_text()
    for word in ("maintain", "patch", "wrynose", "depend"):
        assert word in readme.lower()
    assert (LAYER / "SECURITY.md").exists() and (LAYER / "COPYING.MIT").exists()
    assert 'LAYERSERIES_COMPAT_picam = "wrynose"' in (LAYER / "conf/layer.conf").read_text()


# On top of what make-image writes. The copies have names that stay: a changed configuration would have everything
# parsed anew.
LOCAL = """BB_NO_NETWORK = "1"
CONNECTIVITY_CHECK_URIS = ""
PICAM_DIST_DIR = "${TOPDIR}/dist"
"""


@pytest.fixture(scope="module")
def bitbake(layers, tmp_path_factory, keys, tarball):
    """A function that calls bitbake by meta-picam's script, in a build folder of its own, as a normal user."""
    locales = subprocess.run(["locale", "-a"], capture_output=True, text=True).stdout.lower()
    if "en_us.utf8" not in locales:
        pytest.skip("NOT RUN: bitbake needs the locale en_US.UTF-8 (localedef -i en_US -f UTF-8 en_US.UTF-8)")
    kept = os.environ.get("OE_BUILD")  # a folder whose cache is used again: parsing takes minutes
    build = Path(kept).resolve() if kept else tmp_path_factory.mktemp("oe") / "build"
    (build / "dist").mkdir(parents=True, exist_ok=True)
    shutil.copy(tarball, build / "dist")
    shutil.copy(keys["PICAM_RAUC_KEYRING"], build / "keyring.pem")
    (build / "more.conf").write_text(LOCAL)
    command = ["nice", "-n", "19", LAYER / "scripts/make-image", layers, next(iter(MACHINES.values())), build]
    if os.getuid() == 0:
        subprocess.run(["chown", "-R", "nobody", build], check=True)
        for folder in (build, *build.parents):
            if "pytest-of-" in str(folder):  # pytest's own folders only: they are closed to others
                folder.chmod(folder.stat().st_mode | 0o011)
        command = ["runuser", "-u", "nobody", "--", *command]
    environment = {
        "HOME": str(build),
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "RAUC_KEYRING_FILE": str(build / "keyring.pem"),
        "YOCTO_EXTRA": str(build / "more.conf"),
    }

    def call(*arguments):
        done = subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        return build, done.stdout

    return call


def test_real_layers_parse_together(bitbake):
    _, said = bitbake("-p")
    assert " 0 errors" in said and "WARNING" not in said, said


def test_image_and_bundle_have_a_task_graph(bitbake):
    build, _ = bitbake("-g", "picam-image", "picam-bundle")
    graph = (build / "task-depends.dot").read_text()
    for edge in (
        r'"picam-image.do_rootfs" -> "picam.do_package_write_',
        r'"picam-image.do_image_wic" -> "picam-boot.do_deploy"',
        r'"picam-bundle.do_bundle" -> "picam-image.do_image_complete"|"picam-bundle.do_unpack" -> "picam-image',
        r'"picam-boot.do_compile" -> "rpi-bootfiles.do_deploy"',
    ):
        assert re.search(edge, graph), edge
    assert '"rauc-conf.do_install"' in graph
