"""The image's own picam with libcamera's virtual pipeline: the real libcamera on an arm64 kernel, which gives it
dma-bufs (udmabuf) to map, to synchronise and to read."""

import time

from image.conftest import SMALL
from support.bars import VIRTUAL, assert_bars, decoded

LIBCAMERA = SMALL["picam.toml"].replace('"pattern"', '"libcamera"')


def test_frames_of_libcamera(machine, report):
    """Everything but the name of the virtual pipeline's file is the appliance's: user, groups, supervisor, guard."""
    machine.shell(f"cat >/run/virtual.yaml <<'END'\n{VIRTUAL}END")
    machine.shell("{ head -n 1 /usr/lib/picam/supervise; echo export LIBCAMERA_VIRTUAL_CONFIG_FILE=/run/virtual.yaml; "
                  "cat /usr/lib/picam/supervise; } >/run/supervise && chmod 755 /run/supervise")  # fmt: skip
    machine.shell("mount --bind /run/supervise /usr/lib/picam/supervise")
    site = machine.shell("cat /data/picam/picam.toml")
    machine.shell(f"cat >/data/picam/picam.toml <<'END'\n{LIBCAMERA}END")
    machine.shell("/etc/init.d/S60picam restart", 60)
    started = time.monotonic()
    machine.wait_status(lambda status: status["source"] == "libcamera" and status["signal"] == "live", 60)
    headers, body = machine.wait_jpeg(60)
    assert_bars(decoded(body))
    report(f"libcamera's first JPEG {time.monotonic() - started:.1f} s after picam's restart")

    # The pipeline's memory is the kernel's, not the plain shared memory that picam makes do with elsewhere.
    log = machine.shell("logread | grep 'Virtual bars'")
    has_heaps = machine.shell_code("ls /dev/dma_heap/*")[0] == 0
    assert ("buffers from dma-heap" if has_heaps else "buffers from the camera's driver") in log, log
    assert machine.shell("grep -c dmabuf /proc/$(pidof picam)/maps") != "0"

    numbers = [int(headers["X-Frame"])]
    while len(numbers) < 4:
        headers, body = machine.wait_jpeg(20)
        assert_bars(decoded(body))
        numbers.append(int(headers["X-Frame"]))
    assert numbers == sorted(numbers) and numbers[-1] > numbers[0]

    machine.shell(f"cat >/data/picam/picam.toml <<'END'\n{site}\nEND")
    machine.shell("umount /usr/lib/picam/supervise; /etc/init.d/S60picam restart", 60)
    machine.wait_jpeg(60)
