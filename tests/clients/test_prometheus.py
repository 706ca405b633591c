"""Prometheus's own checker, on /metrics as a scraper of the text format gets it."""

import subprocess

from support.appliance import ROOT

PROMTOOL = ROOT / ".venv" / "unpacked" / "usr" / "bin" / "promtool"  # tests/setup.sh unpacks it there


def test_promtool_has_nothing_to_say(photo_picam):
    status, headers, text = photo_picam.get("/metrics")
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    checked = subprocess.run([str(PROMTOOL), "check", "metrics"], input=text, capture_output=True, timeout=60)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
