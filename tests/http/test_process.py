"""The process: signals, the port that is taken, exit codes, threads and their cores."""

import json
import os
import re
import signal
import subprocess
import time

import pytest
from support import raw
from support.appliance import BINARY, PATIENCE, Picam
from support.tries import holds_once, skipped, step_seconds

# picam ends within a second of a signal; ten are left for a busy machine. A picam that waits for its clients never ends
# in these tests: their limits are far longer.
END_SECONDS = 10.0
NEVER = {"limits": {"request_seconds": 60.0, "write_seconds": 600.0}}


def assert_ends(picam):
    """It ends by itself, with exit code 0, and logs that in its last line."""
    started = time.monotonic()
    assert picam.wait() == 0
    assert time.monotonic() - started < END_SECONDS
    assert "stopped" in picam.lines[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_signal_ends_it_soon_with_streams_ended_cleanly(start_picam, photo_tables, number):
    def end():
        """Number of streams that were cut: picam leaves its clients some tenths of a second to read what was begun."""
        picam = start_picam({**photo_tables(500), **NEVER})
        streams = [raw.Stream(picam.port, timeout=PATIENCE) for _ in range(5)]
        for stream in streams:
            stream.take(2)
        idle = raw.connect(picam.port)
        picam.signal(number)
        cut = 0
        for stream in streams:
            try:
                while stream.next() is not None:  # None: the closing boundary, and nothing behind it
                    pass
            except (AssertionError, ConnectionError):
                cut += 1
            stream.close()
        assert_ends(picam)
        idle.close()
        return cut

    holds_once(end)


def test_signal_ends_it_soon_under_clients_that_do_not_read(start_picam, photo_tables):
    picam = start_picam({**photo_tables(2000), **NEVER})
    stuck = [raw.connect(picam.port, receive_buffer=4096) for _ in range(20)]
    for sock in stuck:
        sock.sendall(raw.get("/stream"))
    picam.wait_status(lambda status: status["streams"] == 20)
    picam.signal(signal.SIGTERM)
    assert_ends(picam)
    for sock in stuck:
        sock.close()


def test_signal_right_after_the_first_answer_ends_it_in_order(start_picam, small_tables):
    for _ in range(10):
        port = raw.free_port()
        picam = start_picam(small_tables, ready=False, listen=f"127.0.0.1:{port}")
        while True:
            try:
                raw.exchange(port, raw.get("/healthz"), PATIENCE)
                break
            except ConnectionRefusedError:
                assert picam.process.poll() is None, picam.log()
        picam.signal(signal.SIGTERM)
        assert_ends(picam)


def test_it_starts_again_at_once_on_the_same_port(start_picam, small_tables):
    first = start_picam(small_tables)
    with raw.Stream(first.port, timeout=PATIENCE) as stream:
        stream.next()
        first.stop()
    second = start_picam(small_tables, listen=f"127.0.0.1:{first.port}")
    assert raw.exchange(second.port, raw.get("/jpg"), PATIENCE).status == 200


def reload(picam, tables):
    """Rewrites the file, sends SIGHUP, waits until picam has said something about it; number of log lines before."""
    before = len(picam.lines)
    picam.write_config(tables)
    picam.signal(signal.SIGHUP)
    picam.wait_log("reloaded", since=before)
    return before


def test_hangup_applies_the_quality_under_an_open_stream(start_picam, small_tables):
    picam = start_picam({**small_tables, "jpeg": {"quality": 95}})

    def reload_beside_a_stream():
        reload(picam, {**small_tables, "jpeg": {"quality": 95}})
        with raw.Stream(picam.port, timeout=PATIENCE) as stream:
            large = stream.take(3)[-1]
            reload(picam, {**small_tables, "jpeg": {"quality": 20}})
            parts = stream.take(6)
        assert len(parts[-1].body) < 0.5 * len(large.body)
        return skipped([large.sequence, *(part.sequence for part in parts)])

    holds_once(reload_beside_a_stream)


def test_hangup_applies_the_rate_and_the_controls(start_picam, small_tables):
    picam = start_picam(small_tables)
    with raw.Stream(picam.port, timeout=PATIENCE) as stream:
        stream.take(2)
        camera = {**small_tables["camera"], "rate": 20.0}
        reload(picam, {**small_tables, "camera": camera, "controls": {"LensPosition": 2.0}})
        stream.take(3)
        parts = stream.take(20)
    assert step_seconds(parts) == pytest.approx(1 / 20, rel=0.3), "20 Hz, not the 3 Hz of before"
    requested = picam.status()["controls"]["requested"]
    assert (requested["LensPosition"], requested["AfMode"]) == (2.0, "manual")


def test_hangup_says_what_needs_a_restart(start_picam, small_tables):
    picam = start_picam({**small_tables, "server": {"listen": "127.0.0.1:18000"}})
    before = reload(picam, {**small_tables, "camera": {"width": 320, "height": 240}, "cpu": {"encode": [0]}})
    line = picam.wait_log("restart", since=before).string
    for key in ("camera.width", "camera.height", "cpu.encode"):
        assert key in line
    assert "jpeg.quality" not in line
    assert picam.status()["frame"] is None or picam.status()["frame"]["width"] == 640


def test_hangup_says_that_another_address_needs_a_restart(tmp_path):
    """Without --listen: the command line would win over the file."""
    config = {"server": {"listen": "127.0.0.1:0"}, "camera": {"width": 640, "height": 360}}
    picam = Picam(tmp_path, config, listen=None)
    try:
        picam.wait_ready()
        before = reload(picam, {**config, "server": {"listen": "127.0.0.1:18000"}})
        assert "server.listen" in picam.wait_log("restart", since=before).string
        assert picam.get("/jpg")[0] == 200
    finally:
        picam.stop()


@pytest.mark.parametrize("text, said", [
    ("[jpeg]\nquality = 101\n", r"picam\.toml:2.*jpeg\.quality"),
    ("[jpeg]\nqality = 50\n", r"picam\.toml:2.*qality"),
    ("[jpeg\n", r"picam\.toml:1"),
])  # fmt: skip
def test_hangup_with_a_bad_file_changes_nothing(start_picam, small_tables, text, said):
    picam = start_picam(small_tables)
    before = raw.exchange(picam.port, raw.get("/jpg")).body
    since = reload(picam, text)
    picam.wait_log(said, since=since)
    after = raw.exchange(picam.port, raw.get("/jpg")).body
    assert len(after) == pytest.approx(len(before), rel=0.05)


def run(*arguments, **options):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=PATIENCE, **options)


@pytest.mark.parametrize("listen", ["127.0.0.1", "0.0.0.0"])
def test_second_instance_on_the_port_is_refused(picam, tmp_path, listen):
    empty = tmp_path / "picam.toml"
    empty.write_text("")
    second = run("--config", str(empty), "--listen", f"{listen}:{picam.port}")
    assert second.returncode == 3
    lines = [line for line in second.stderr.splitlines() if str(picam.port) in line]
    assert len(lines) == 1, second.stderr
    for _ in range(20):  # and takes no connection away from the first
        assert json.loads(raw.exchange(picam.port, raw.get("/status")).body)["source"] == "pattern"


@pytest.mark.parametrize("tables, code, said", [
    ({"camera": {"source": "replay:/nowhere"}}, 4, "/nowhere"),
    ({"cpu": {"encode": [1000]}}, 2, "1000"),
    ({"jpeg": {"quality": 0}}, 2, "jpeg.quality"),
    ({"server": {"listen": "192.0.2.1:8000"}}, 1, "192.0.2.1"),
])  # fmt: skip
def test_what_prevents_the_start_is_said_in_one_line(tmp_path, tables, code, said):
    from support.appliance import toml

    config = tmp_path / "picam.toml"
    config.write_text(toml(tables))
    listen = [] if "server" in tables else ["--listen", "127.0.0.1:0"]
    done = run("--config", str(config), *listen)
    assert done.returncode == code, done.stderr
    assert [line for line in done.stderr.splitlines() if said in line], done.stderr
    assert "panicked" not in done.stderr


def test_it_listens_on_ipv6_and_ipv4_at_once(start_picam, small_tables):
    if not os.path.exists("/proc/net/if_inet6") or not open("/proc/net/if_inet6").read():
        pytest.skip("DUAL STACK NOT TESTED: this machine has no IPv6")
    picam = start_picam(small_tables, listen="[::]:0")
    assert raw.exchange(picam.port, raw.get("/jpg"), PATIENCE, host="127.0.0.1").status == 200
    import socket

    with socket.create_connection(("::1", picam.port)) as sock:
        sock.sendall(raw.get("/jpg"))
        assert raw.parse(*raw.read_to_end(sock, PATIENCE)).status == 200


@pytest.mark.skipif(os.cpu_count() < 2, reason="AFFINITY NOT TESTED: there is only one core")
def test_threads_run_on_the_cores_they_were_given(start_picam, small_tables):
    picam = start_picam({**small_tables, "cpu": {"capture": [0], "encode": [1], "http": [0, 1]}})
    with raw.Stream(picam.port, timeout=PATIENCE) as stream:
        stream.take(2)
        cores = {}
        for name, allowed in picam.threads().values():
            cores.setdefault(name, set()).add(allowed)
    assert cores["capture"] == {"0"}
    assert cores["encode"] == cores["still"] == cores["single"] == {"1"}
    http = {name: allowed for name, allowed in cores.items() if name.startswith("http")}
    assert http and all(allowed == {"0-1"} for allowed in http.values())
    assert "guard" in cores
    unnamed = set(cores) - set(http) - {"capture", "encode", "guard", "picam"}
    assert not {name for name in unnamed if re.fullmatch(r"Thread.*|<unnamed>", name)}


@pytest.mark.skipif(os.cpu_count() < 2, reason="AFFINITY NOT TESTED: there is only one core")
def test_http_threads_on_one_core(start_picam, small_tables):
    picam = start_picam({**small_tables, "cpu": {"http": [1]}})
    with raw.Stream(picam.port, timeout=PATIENCE) as stream:
        stream.take(2)
        http = [allowed for name, allowed in picam.threads().values() if name.startswith("http")]
    assert len(http) >= 2 and set(http) == {"1"}
