"""Prometheus's own programs, on /metrics as a scraper of the text format gets it, and on docs/fleet."""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from support.appliance import PATIENCE, ROOT
from support.output import started
from support.process import stop
from support.unpacked import UNPACKED

PROGRAMS = UNPACKED / "bin"
FLEET = ROOT / "docs" / "fleet"
SMALL = {"camera": {"width": 320, "height": 180, "rate": 2}}


def promtool(*arguments, **options):
    return subprocess.run([str(PROGRAMS / "promtool"), *arguments], capture_output=True, timeout=120, **options)


def test_promtool_has_nothing_to_say(photo_picam):
    status, headers, text = photo_picam.get("/metrics")
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    checked = promtool("check", "metrics", input=text)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


@pytest.mark.parametrize("command", [("check", "config", "prometheus.yml"), ("test", "rules", "alerts-test.yml")])
def test_the_fleets_files_are_right(command):
    done = promtool(*command, cwd=FLEET)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_an_example():
    alerts = set(re.findall(r"alert: (\w+)", (FLEET / "alerts.yml").read_text()))
    assert alerts == set(re.findall(r"alertname: (\w+)", (FLEET / "alerts-test.yml").read_text()))


def test_the_fleets_files_ask_for_metrics_that_are_there(photo_picam):
    there = set(re.findall(r"^(picam_\w+)", photo_picam.get("/metrics")[2].decode(), re.M))
    panels = json.loads((FLEET / "dashboard.json").read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    asked += re.findall(r"expr: (.*)", (FLEET / "alerts.yml").read_text())
    assert len(asked) > 25
    for expression in asked:
        assert set(re.findall(r"\bpicam_\w+", expression)) <= there, expression


class Prometheus:
    """A Prometheus with the fleet's files, which scrapes these picams each second."""

    def __init__(self, folder, picams):
        shutil.copy(FLEET / "alerts.yml", folder)
        # What must last for minutes must last for a moment here.
        alerts = (folder / "alerts.yml").read_text()
        (folder / "alerts.yml").write_text(re.sub(r"for: \w+", "for: 1s", alerts))
        configuration = (FLEET / "prometheus.yml").read_text().replace("30s", "1s")
        targets = "".join(f"          - 127.0.0.1:{picam.port}\n" for picam in picams)
        configuration = re.sub(r"( {10}- camera-\d\.local:8000\n)+", targets, configuration)
        (folder / "prometheus.yml").write_text(configuration)
        with socket.create_server(("127.0.0.1", 0)) as free:  # it does not choose a port by itself
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        command = [PROGRAMS / "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        self.process, self.output = started([*command, f"--web.listen-address={self.url.removeprefix('http://')}"])

    def ask(self, path, **query):
        """The data of an answer of its API; None as long as it does not serve."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.URLError:
            assert self.process.poll() is None, self.output
            return None

    def wait(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < deadline, f"{what}: not within {PATIENCE} s; it said:\n{self.output}"
            time.sleep(0.2)
        return found

    def values(self, expression):
        """{instance: value} of an expression now."""
        found = self.ask("query", query=expression) or {"result": []}
        return {row["metric"]["instance"]: float(row["value"][1]) for row in found["result"]}

    def firing(self):
        """{(alert, instance)}"""
        alerts = (self.ask("alerts") or {"alerts": []})["alerts"]
        return {(it["labels"]["alertname"], it["labels"]["instance"]) for it in alerts if it["state"] == "firing"}


def test_prometheus_watches_ten_picams(start_picam, tmp_path):
    picams = [start_picam(SMALL, env={"PICAM_TEST_FAULTS": "1"}) for _ in range(10)]
    names = [f"127.0.0.1:{picam.port}" for picam in picams]
    with contextlib.ExitStack() as ending:
        prometheus = Prometheus(tmp_path, picams)
        ending.callback(stop, prometheus.process)
        prometheus.wait(lambda: prometheus.values('up{job="picam"}') == dict.fromkeys(names, 1.0), "all ten")
        prometheus.wait(lambda: prometheus.values("picam_signal") == dict.fromkeys(names, 1.0), "their pictures")
        assert prometheus.firing() == set()
        picams[7].process.terminate()
        picams[7].wait()
        seen = set()

        def both():
            if picams[3].status()["healthy"]:  # it comes back by itself
                assert picams[3].get("/debug/stall?seconds=8")[0] == 200
            seen.update(prometheus.firing())
            return seen >= {("PicamBlind", names[3]), ("PicamUnreachable", names[7])}

        prometheus.wait(both, "both alerts")
        assert {name for _, name in seen} == {names[3], names[7]}, seen
