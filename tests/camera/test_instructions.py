"""What a frame costs on the target: the guest counts each instruction as 1 ns, so figures repeat on every machine."""

import pytest

TABLES = '[camera]\nsource = "pattern"\nrate = 2.0\nstill = "off"\n[jpeg]\nthreads = 1\n'
URL = "http://127.0.0.1:8000"
SECONDS = 20
# For a frame of the pattern of 2304x1296 with quality 100, and what of it may change unseen. Who makes picam slower, or
# faster, writes the new figure here, and why into the commit.
INSTRUCTIONS, TOLERANCE = 49.9e6, 0.05
# libjpeg-turbo's own switch.
WITHOUT_SIMD = "JSIMD_FORCENONE=1"


def encoding(guest):
    """(instructions of the threads that encode, frames that they have encoded)"""
    threads = guest.run('for t in /proc/$(pidof picam)/task/*; do echo "$(cat $t/comm) $(cat $t/schedstat)"; done')
    rows = [line.split() for line in threads.splitlines()]
    spent = sum(int(spent) for name, spent, *_ in rows if name.startswith("encode"))
    return spent, guest.status()["counters"]["frames_encoded"]


@pytest.fixture
def instructions(guest):
    """instructions(environment): for each encoded frame."""

    def instructions(environment):
        guest.run(f"cat >/data/picam/picam.toml <<'END'\n{TABLES}END")
        guest.run(f"{environment} setsid picam >>/tmp/picam.log 2>&1 </dev/null & echo $! >/tmp/picam.pid")
        guest.wait_jpeg(60)
        guest.run(f"wget -q -O /dev/null {URL}/stream & echo $! >/tmp/client; sleep 5")
        before = encoding(guest)
        guest.run(f"sleep {SECONDS}", 600)
        after = encoding(guest)
        guest.run("kill $(cat /tmp/client)")
        guest.stop_picam()
        spent, frames = (now - then for now, then in zip(after, before))
        assert frames >= SECONDS
        return spent / frames

    return instructions


def test_a_frame_costs_what_it_did_and_neon_is_taken(instructions, report):
    """Without NEON an executable serves the same pictures, at half the rate where the processor is the limit."""
    taken, without = instructions(""), instructions(WITHOUT_SIMD)
    report(f"instructions a frame: {taken / 1e6:.1f} million; without NEON {without / 1e6:.1f}, {without / taken:.2f} times")
    assert without > 1.5 * taken
    assert abs(taken / INSTRUCTIONS - 1) < TOLERANCE
