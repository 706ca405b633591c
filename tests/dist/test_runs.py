"""The executable itself, under qemu's user mode emulation where it is for another machine than this one."""

import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import threading
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SENSORS = ("imx708", "imx708_wide", "imx708_noir", "imx708_wide_noir")


def test_version_lists_the_pipelines_of_the_linked_libcamera(dist, libcamera_prefix):
    assert sorted(dist.pipelines()) == sorted((libcamera_prefix / "pipelines").read_text().split())


@pytest.fixture(scope="module")
def ipa_tuning(dist, libcamera_prefix, tmp_path_factory):
    """The test program ipa_tuning, linked with the same libcamera.a as the executable."""
    program = tmp_path_factory.mktemp("ipa") / "ipa_tuning"
    include = libcamera_prefix / "usr/include"
    command = [f"{dist.machine}-linux-gnu-g++", "-std=c++20", "-O1", "-static-pie", "-DLIBCAMERA_BASE_PRIVATE"]
    command += ["-include", include / "libcamera-private/config.h"]
    command += [f"-I{include / folder}" for folder in ("libcamera", "libcamera-private", "libpisp", "")]
    libraries = ["-lcamera", "-lyaml", "-lyuv"]
    if "rpi/pisp" in (libcamera_prefix / "pipelines").read_text().split():
        command.append("-DHAVE_LIBPISP")
        libraries.insert(1, "-lpisp")
    command += ["-o", program, ROOT / "tests/dist/ipa_tuning.cpp", f"-L{libcamera_prefix / 'usr/lib'}", *libraries]
    # libyuv decodes MJPEG with the libjpeg that picam brings; nothing here calls it.
    command.append("-Wl,--unresolved-symbols=ignore-all")
    subprocess.run(command, check=True, timeout=600)
    return program


def tuning_environment(dist):
    return {
        "LIBCAMERA_IPA_CONFIG_PATH": str(dist.folder / "share/libcamera/ipa"),
        "LIBPISP_BE_CONFIG_FILE": str(dist.folder / "share/libpisp/backend_default_config.json"),
    }


def test_the_ipas_inside_load_the_archives_tuning_files(dist, ipa_tuning):
    result = dist.run(*SENSORS, program=ipa_tuning, env=tuning_environment(dist))
    print(result.stdout)
    assert result.returncode == 0, result.stdout + result.stderr
    rpi = [pipeline for pipeline in dist.pipelines() if pipeline.startswith("rpi/")]
    assert rpi
    for pipeline in rpi:
        for sensor in SENSORS:
            file = dist.folder / f"share/libcamera/ipa/{pipeline}/{sensor}.json"
            loaded = re.search(rf"^{pipeline} {sensor} {file} init 0 controls (.+)$", result.stdout, re.MULTILINE)
            assert {"AfMode", "LensPosition", "ExposureTime", "AnalogueGain"} <= set(loaded[1].split())


def test_a_missing_tuning_file_is_noticed(dist, ipa_tuning):
    result = dist.run("imx708", "nosensor", program=ipa_tuning, env=tuning_environment(dist))
    assert result.returncode == 1
    assert "rpi/vc4 nosensor no tuning file" in result.stdout


@contextlib.contextmanager
def serving(dist, configuration, **environment):
    """Starts the executable; yields its address once it serves; stops it by SIGTERM and wants exit code 0."""
    command = [*dist.emulator, dist.executable, "--config", configuration, "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
    timer = threading.Timer(120, process.kill)
    timer.start()
    try:
        log = ""
        for line in process.stderr:
            log += line
            if found := re.search(r"listening on (http://\S+)", line):
                break
        else:
            pytest.fail(f"picam ended before it served:\n{log}")
        # Nobody reads the log any more: keep its pipe from filling.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield found[1]
        process.terminate()
        assert process.wait(30) == 0
    finally:
        timer.cancel()
        process.kill()
        process.wait()


def test_serves_the_pattern(dist, tmp_path):
    configuration = tmp_path / "picam.toml"
    configuration.write_text('[camera]\nsource = "pattern"\nwidth = 640\nheight = 360\n')
    with serving(dist, configuration) as address:
        with urllib.request.urlopen(f"{address}jpg", timeout=30) as answer:
            picture = answer.read()
        assert picture.startswith(b"\xff\xd8") and picture.endswith(b"\xff\xd9")
        with urllib.request.urlopen(f"{address}stream", timeout=30) as answer:
            assert "boundary=frame" in answer.headers["Content-Type"]
            stream = b""
            while stream.count(b"--frame\r\n") < 4:
                stream += answer.read(65536)
        assert stream.count(b"Content-Type: image/jpeg") >= 3
        frames = [int(number) for number in re.findall(rb"X-Frame: (\d+)", stream)]
        assert frames == sorted(set(frames)) and len(frames) >= 3


def test_it_is_ready_without_a_camera(dist, tmp_path):
    """What systemd waits for (Type=notify): a camera that is absent must not make the start time out."""
    configuration, path = tmp_path / "picam.toml", tmp_path / "notify"
    configuration.write_text('[camera]\nsource = "libcamera"\nid = "there is none"\n')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(path))
        supervisor.settimeout(120)
        with serving(dist, configuration, NOTIFY_SOCKET=str(path), WATCHDOG_USEC="3000000") as address:
            words = [supervisor.recv(64) for _ in range(4)]
            assert words.count(b"READY=1") == 1 and set(words) == {b"READY=1", b"WATCHDOG=1"}
            with urllib.request.urlopen(f"{address}status", timeout=30) as answer:
                assert json.load(answer)["camera"]["phase"] == "waiting"
