"""Stills beside the stream on a Pi 5 made of software: its image processor makes both sizes of one frame of the sensor."""

import pytest

from camera.guest import SMALL, full
from camera.stills import check_stills_beside
from camera.test_endurance import assert_same, held
from camera.test_pi5 import SHAPES

URL = "http://127.0.0.1:8000"
# A still each two seconds, for so many seconds.
SECONDS = 300 if full() else 20
CLIENTS = f"for i in $(seq 10); do wget -q -O /dev/null {URL}/stream & echo $!; done >/tmp/clients; sleep 10"
TAKE = f"""(
now() {{ cut -d. -f1 /proc/uptime; }}
taken=0 began=$(now)
while [ $taken -lt {SECONDS // 2} ]; do
    while [ $(($(now) - began)) -lt $((2 * taken)) ]; do usleep 100000; done
    wget -q -O /tmp/still {URL}/still?quality=90 || exit 1
    taken=$((taken + 1))
done
echo $(($(now) - began)))"""


@pytest.mark.parametrize(("shape", "chroma"), [*((shape, "4:2:0") for shape in SHAPES), (next(iter(SHAPES)), "4:4:4")])
def test_stills_beside_the_stream_cost_it_no_frame(pi5_guest, shape, chroma, report):
    pi5_guest.plug(**SHAPES[shape])
    try:
        pi5_guest.start_picam(SMALL + f'still = "always"\nstill_chroma = "{chroma}"\n')
        pi5_guest.wait_jpeg(60)
        check_stills_beside(pi5_guest, 3 if chroma == "4:2:0" else 2, report, chroma)
        pi5_guest.stop_picam()
        assert pi5_guest.read("buffers") == "0 0"
    finally:
        pi5_guest.unplug()


def test_a_still_each_two_seconds_beside_ten_clients_costs_no_frame_and_no_memory(pi5_guest, report):
    guest = pi5_guest
    guest.plug(board="pi5")
    try:
        guest.start_picam(SMALL + 'still = "always"\n')
        guest.wait_jpeg(60)
        guest.run(CLIENTS)
        guest.run(f"for i in 1 2 3; do wget -q -O /tmp/still {URL}/still?quality=90; done", 600)  # what it takes for good
        before, counters = held(guest), guest.status()["counters"]
        seconds = int(guest.run(TAKE, 40 * SECONDS))
        now, after = held(guest), guest.status()["counters"]
        captured, encoded = (after[name] - counters[name] for name in ("frames_captured", "frames_encoded"))
        report(f"{SECONDS // 2} stills in {seconds} s: {captured} frames, {encoded} encoded; {before} → {now}")
        assert all(after[name] == counters[name] for name in ("frames_lost", "frames_skipped", "frames_stale", "stalls"))
        assert abs(encoded - captured) <= 1, "each for the ten"
        assert_same(before, now)
        guest.stop_picam()
        assert guest.read("buffers") == "0 0"
    finally:
        guest.run("kill $(cat /tmp/clients) $(pidof picam); while pidof picam wget; do usleep 50000; done", 60, check=False)
        guest.unplug()
