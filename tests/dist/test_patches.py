"""cross/patches: each fits libcamera's source line by line, and the Pi 5's pipeline handler compiles with them.

cross/setup leaves that handler out where libpisp's source cannot be had. Its headers are enough to compile it.
"""

import pathlib
import subprocess
import tarfile

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def source(libcamera_prefix, tmp_path_factory):
    """libcamera's source with the patches, none of which may need fuzz or an offset."""
    folder = tmp_path_factory.mktemp("source")
    (archive,) = (libcamera_prefix / "source").glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    for patch in sorted((ROOT / "cross/patches").glob("*.patch")):
        command = ["patch", f"--directory={source}", "--strip=1", "--fuzz=0", "--no-backup-if-mismatch"]
        result = subprocess.run(command, stdin=patch.open(), capture_output=True, text=True)
        assert result.returncode == 0 and "offset" not in result.stdout, f"{patch.name}:\n{result.stdout}"
    return source


def test_the_patches_fit(source):
    assert (source / "src/libcamera/pipeline/rpi/pisp/pisp.cpp").is_file()


def test_the_pi_5s_pipeline_handler_compiles(dist, libcamera_prefix, source, tmp_path):
    include = libcamera_prefix / "usr/include"
    libpisp = include
    if "rpi/pisp" not in dist.pipelines():
        subprocess.run([ROOT / "tests/dist/pisp_headers.sh", tmp_path], check=True, timeout=600)
        libpisp = tmp_path / "usr/include"
    command = [f"{dist.machine}-linux-gnu-g++", "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"]
    command += ["-DLIBCAMERA_BASE_PRIVATE", "-include", include / "libcamera-private/config.h"]
    command += [f"-I{include / folder}" for folder in ("libcamera-private", "libcamera")]
    command += [f"-I{source / 'include'}", f"-isystem{libpisp}", f"-isystem{libpisp / 'libpisp'}"]
    command.append(source / "src/libcamera/pipeline/rpi/pisp/pisp.cpp")
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr


def test_the_executable_knows_either_driver_of_the_receivers(dist):
    executable = dist.executable.read_bytes()
    names = {"unicam-image", "unicam-embedded", " has no entity "}
    if "rpi/pisp" in dist.pipelines():
        for node in ("image0", "stats", "config"):
            names |= {f"rp1-cfe-fe-{node}", f"rp1-cfe-fe_{node}"}
        names |= {"rp1-cfe-csi2-ch1", "rp1-cfe-embedded"}
    assert {name for name in names if name.encode() not in executable} == set()
