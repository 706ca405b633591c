"""A picam for the Pi 5: the one of make dist if it has libpisp inside, or else one that is made for the tests.

Where libpisp's source cannot be had, make dist leaves the Pi 5's pipeline out. Debian sid has libpisp as a shared
library: the tests' picam is linked with that, and brings it and its C library along. All else of it is as in make dist.
"""

from pathlib import Path

from image.lab.packages import UNSTABLE, Apt
from image.lab.rootfs import default_distribution, needed_libraries, picam_files
from image.lab.tools import CACHE, ROOT, run

TUNING = "share/libcamera/ipa/rpi/pisp/imx708.json"
BACK_END = "share/libpisp/backend_default_config.json"
LIBRARIES = "lib/aarch64-linux-gnu"
LOADER = "lib/ld-linux-aarch64.so.1"
# Sources this environment of cross/setup's, compiles, and prints where libcamera and the executable are.
BUILD = """
environment=$(PICAM_LIBPISP=$1 "$0/cross/setup" aarch64)
. "$environment"
export CARGO_TARGET_DIR="$2"
cargo build --quiet --release --locked --features libcamera --bin picam --manifest-path "$0/Cargo.toml"
echo "$PICAM_LIBCAMERA_AARCH64_UNKNOWN_LINUX_GNU"
"""


def pisp_files(distribution=None, cache=CACHE):
    """{path below usr: bytes} of a picam with rpi/pisp, the data that it reads, and its libraries if it has any."""
    files = picam_files(distribution or default_distribution())
    return files if TUNING in files else _made(cache)


def _made(cache):
    apt = Apt(cache, "apt-sid", release=UNSTABLE)
    tree = apt.unpacked("libpisp", apt.with_libraries(["libpisp-dev", "libpisp-common"])) / "usr"
    target = ROOT / "target/pisp"
    prefix = Path(run("sh", "-euc", BUILD, ROOT, tree.parent, target).strip())
    executable = target / "picam"
    run("aarch64-linux-gnu-strip", "-o", executable, target / "aarch64-unknown-linux-gnu/release/picam")
    paths = {"bin/picam": executable, TUNING: prefix / "usr" / TUNING, BACK_END: tree / BACK_END, LOADER: tree / LOADER}
    for path in needed_libraries([executable], tree / LIBRARIES):
        paths[f"{LIBRARIES}/{path.name}"] = path
    return {name: path.read_bytes() for name, path in paths.items()}
