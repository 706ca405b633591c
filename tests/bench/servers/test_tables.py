"""The tables of `make bench` say what the load client counted."""

from bench.servers.tables import result

MACHINE = {"date": "2026-11-29", "cores": 2, "processor": "CPU", "kernel": "6", "size": "2304x1296", "rounds": 3, "seconds": 3.0}


def load(clients, processor, rate=8.0, age=10.0):
    """What bench-load prints."""
    pictures = clients * rate * 4
    return {"clients": clients, "seconds": 4.0, "pictures": pictures, "rate_hz": rate if clients else None, "kilobytes": 1250.0,
            "age_p50_ms": age if clients else None, "age_p99_ms": age and 2 * age, "processor_seconds": processor, "memory_mb": 40.0 + clients}  # fmt: skip


def rows(text, first):
    return [line.split(" | ")[1:] for line in text.splitlines() if line.startswith(f"| {first} |")]


def test_ages_processor_and_costs():
    fast = [load(0, 0.02), load(1, 0.64), load(10, 0.7), load(200, 1.9)]
    slow = [load(0, 0.0), load(1, 1.0, rate=4.0), load(10, 1.0, age=None), {"clients": 200, "failed": "refused"}]
    told = [{"server": name, "quality": 100, "first_jpeg_ms": 70.4, "loads": loads} for name, loads in (("fast", fast), ("slow", slow))]
    text = result({"machine": MACHINE, "versions": {"picam": "1"}, "tjbench_ms": 15.0, "rows": told})
    ages, spent, costs = rows(text, "fast")
    assert ages == ["10.0 / 20.0", "10.0 / 20.0", "10.0 / 20.0 |"]
    assert spent == ["5", "160", "175", "475 |"]
    # 0.64 s for 32 frames; 315 ms a second more for 199 times 8 frames.
    assert costs == ["1250", "20.0", "198", "41", "240", "70 |"]
    ages, spent, costs = rows(text, "slow")
    assert ages == ["10.0 / 20.0 (4.0 Hz)", "no picture", "failed |"]
    assert spent[-1] == "failed |" and costs[2] == "failed" and costs[4] == "failed"
