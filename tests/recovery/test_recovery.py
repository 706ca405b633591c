"""What a supervisor, a hardware watchdog and systemd see of a picam whose camera fails. The camera is the pattern:
the steps are the same for every source."""

import signal
import socket

from support import raw
from support.appliance import PATIENCE, Picam

SMALL = {"camera": {"width": 320, "height": 180}}
CAMERA_LOST = 5


def test_a_camera_that_nothing_helps_ends_picam_with_its_own_exit_code(start):
    picam = start()
    with raw.connect(picam.port, timeout=PATIENCE) as sock:
        sock.sendall(raw.get("/stream"))
        picam.get("/debug/stall?seconds=3600")
        data, how = raw.read_to_end(sock, timeout=PATIENCE)
    assert how == "fin" and data.endswith(b"--frame--\r\n"), "the stream ends in an orderly way"
    assert picam.wait() == CAMERA_LOST
    log = picam.log()
    assert log.count("restarting the capture") == 1 and log.count("opening it again") == 3
    assert picam.lines[-1].startswith("picam: the camera is lost: nothing new for ")


def test_a_capture_thread_that_hangs_for_ever_ends_picam_all_the_same(start):
    picam = start()
    picam.get("/debug/hang")
    assert picam.wait(PATIENCE) == CAMERA_LOST
    assert "the capture thread is stuck capturing for over 10s" in picam.log()


def test_a_stop_is_not_held_up_by_a_hanging_camera(start):
    """The hang lasts for ever: who waits for it never ends."""
    picam = start()
    picam.get("/debug/hang")
    picam.wait_log(r"hangs \(/debug/hang\)")
    picam.signal(signal.SIGTERM)
    assert picam.wait() == 0


def test_the_hardware_watchdog_is_petted_and_disarmed(start, tmp_path):
    device = tmp_path / "watchdog"
    device.touch()
    picam = start({"watchdog": {"device": str(device)}})
    picam.wait_log(r"watchdog .*: armed")
    picam.signal(signal.SIGTERM)
    assert picam.wait() == 0
    written = device.read_bytes()
    assert written[-1:] == b"V" and set(written[:-1]) == {0}


def test_the_hardware_watchdog_stays_armed_when_the_camera_is_lost(start, tmp_path):
    device = tmp_path / "watchdog"
    device.touch()
    picam = start({"watchdog": {"device": str(device)}})
    picam.wait_log(r"watchdog .*: armed")
    picam.get("/debug/hang")
    assert picam.wait(PATIENCE) == CAMERA_LOST
    assert set(device.read_bytes()) == {0}


def test_a_watchdog_that_is_not_there_is_refused(tmp_path):
    picam = Picam(tmp_path, {**SMALL, "watchdog": {"device": str(tmp_path / "nothing")}})
    assert picam.wait() == 1
    picam.process.stderr.close()
    assert picam.lines[-1] == "picam: watchdog.device: No such file or directory (os error 2)"


def test_systemd_is_told(start, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(path))
        supervisor.settimeout(PATIENCE)
        picam = start(NOTIFY_SOCKET=str(path), WATCHDOG_USEC="600000")
        words = [supervisor.recv(64) for _ in range(6)]
        assert words.count(b"READY=1") == 1 and set(words) == {b"READY=1", b"WATCHDOG=1"}
        picam.signal(signal.SIGTERM)
        while (word := supervisor.recv(64)) == b"WATCHDOG=1":
            pass
        assert word == b"STOPPING=1"
        assert picam.wait() == 0
