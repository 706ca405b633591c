"""Many clients, and bad ones among good ones: no one loses a frame by another, memory stays flat."""

import contextlib
import statistics

import pytest
from support.memory import warm_up
from support.swarm import Swarm

# The first frames reach a client while its reader still connects the others.
START = 4


def assert_no_frame_lost(clients):
    for client in clients:
        assert client.error is None
        assert client.lost(START) == 0, f"{client.lost(START)} of {len(client.sequences)} frames lost"


@pytest.mark.parametrize("kilobytes", [500, 2000])
def test_stalled_and_slow_clients_hurt_no_one(start_picam, photo_tables, kilobytes):
    # At 200 KB/s the largest frames take longer than the default limit allows.
    picam = start_picam({**photo_tables(kilobytes), "limits": {"write_seconds": 60.0}})
    seconds, memory = 15, []
    with contextlib.closing(Swarm()) as swarm:
        normal = swarm.add(picam.port, 10)
        (slow,) = swarm.add(picam.port, limit=200_000)
        swarm.add(picam.port, limit=0)
        swarm.run(seconds, lambda: memory.append(picam.rss_kib()))
        delays = [delay for client in normal for delay in client.delays]
        rates = [len(client.sequences) / seconds for client in normal]
        print(f"\nten clients: {min(rates):.2f} Hz, delay p50 {statistics.median(delays) * 1000:.1f} ms, "
              f"max {max(delays) * 1000:.1f} ms; slow client: {len(slow.sequences)} frames; RSS {memory}")  # fmt: skip
        assert_no_frame_lost(normal)
        assert min(rates) > 7.5
        assert slow.error is None and slow.received > 0.8 * seconds * 200_000, (
            "the slow client is served as it can take"
        )
    # Flat: once all are at work nothing is added any more, but for pictures that are just being written to someone.
    assert max(memory[5:]) - min(memory[3:5]) <= 4 * kilobytes + 512


def test_slow_client_sees_young_pictures(start_picam, photo_tables):
    """At 2 MB/s a 500 KB picture takes a quarter of a second: none should be older than about two of those."""
    picam = start_picam(photo_tables(500))
    with contextlib.closing(Swarm()) as swarm:
        (slow,) = swarm.add(picam.port, limit=2_000_000)
        swarm.run(10)
        assert slow.error is None
        settled = slow.delays[len(slow.delays) // 2 :]
        print(f"\n{len(slow.delays)} frames, median delay {statistics.median(settled):.3f} s")
        assert statistics.median(settled) < 0.6


def test_two_hundred_stream_clients_for_thirty_seconds(start_picam, photo_tables):
    count, seconds = 200, 30
    picam = start_picam(photo_tables(100))
    warm_up(picam, frames=24)  # all the camera's and the encoder's buffers are in use
    before, memory = picam.rss_kib(), []
    with contextlib.closing(Swarm()) as swarm:
        clients = swarm.add(picam.port, count)
        processor = picam.cpu_seconds()
        swarm.run(seconds, lambda: memory.append(picam.rss_kib()))
        processor = picam.cpu_seconds() - processor
        frames = sum(len(client.sequences) for client in clients)
        delays = sorted(delay for client in clients for delay in client.delays)
        growth = (max(memory) - before) / count
        p50, p99 = (1000 * delays[len(delays) * part // 100] for part in (50, 99))
        print(f"\n{count} clients, {frames / seconds / count:.2f} Hz each, delay p50 {p50:.0f} ms, p99 {p99:.0f} ms, "
              f"{processor / frames * 1e6:.0f} µs processor a client-frame, RSS {growth:.1f} KiB a client, "
              f"lost {sum(client.lost(START) for client in clients)}")  # fmt: skip
        assert [client.error for client in clients if client.error] == []
        assert {client.status for client in clients} == {200}
        assert min(len(client.sequences) for client in clients) > 0.9 * 8 * seconds
        assert picam.status()["streams"] == count
    assert growth <= 32
    picam.wait_status(lambda status: status["streams"] == 0)
