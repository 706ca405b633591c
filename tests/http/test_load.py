"""Many clients, and bad ones among good ones: no one loses a frame by another, memory stays flat."""

import contextlib
import statistics

import pytest
from support import beside
from support.memory import stall_kib, stalls, warm_up
from support.swarm import Swarm

# The first frames reach a client while its reader still connects the others.
START = 4
# What the good clients get beside bad ones, of what they get without them, both in turn on the same machine. A bad client
# that delays the others delays them until it is cut: then next to nothing is left.
LEAST_SHARE = 0.6


def share_of_frames(picam, swarm, clients, seconds, each_second=None):
    """The share of the frames captured meanwhile that `clients` get while the swarm is read for `seconds`."""
    frames = lambda: sum(len(client.sequences) for client in clients)  # noqa: E731
    before, captured = frames(), picam.newest_frame()
    swarm.run(seconds, each_second)
    captured = picam.newest_frame() - captured
    assert captured > 0 and [client.error for client in clients if client.error] == []
    return (frames() - before) / len(clients) / captured


@pytest.mark.parametrize("kilobytes", [500, 2000])
def test_stalled_and_slow_clients_hurt_no_one(start_picam, photo_tables, kilobytes):
    # At 200 KB/s the largest frames take longer than the default limit allows.
    picam = start_picam({**photo_tables(kilobytes), "limits": {"write_seconds": 60.0}})
    seconds, rate, alone, together, memory = 6, 200_000, [], [], []
    with contextlib.closing(Swarm()) as swarm:
        normal = swarm.add(picam.port, 10)
        swarm.run(2)
        stalled = stalls(picam)
        for _ in range(2):
            alone.append(share_of_frames(picam, swarm, normal, seconds / 2))
            (slow,) = swarm.add(picam.port, limit=rate)
            (stalled,) = swarm.add(picam.port, limit=0)
            memory.append([])
            together.append(share_of_frames(picam, swarm, normal, seconds, lambda: memory[-1].append(picam.rss_kib())))
            assert slow.error is None and slow.received > 0.5 * seconds * rate, "it is served as it can take"
            for client in (slow, stalled):
                client.sock.close()
                swarm.clients.remove(client)
    print(f"\nten clients: share of the frames {alone} alone, {together} beside bad clients; RSS {memory}")
    assert sum(together) >= LEAST_SHARE * sum(alone)
    # Flat: once all are at work nothing is added any more, but for pictures that are just being written to someone.
    first, second = memory
    assert max(second) - min(first[3:]) <= 4 * kilobytes + 512 + stall_kib(picam, stalled)


def test_slow_client_sees_young_pictures(start_picam, photo_tables):
    """At 2 MB/s a 500 KB picture takes two of the camera's frame intervals: none should be older than some two of those
    when it is there."""
    picam = start_picam(photo_tables(500))
    with contextlib.closing(Swarm()) as swarm:
        (fast,) = swarm.add(picam.port)
        slow = beside.add(swarm, fast, picam.port, limit=2_000_000)
        swarm.run(10)
        assert slow.error is None and fast.error is None
        settled = slow.behind[len(slow.behind) // 2 :]
        print(f"\n{len(slow.sequences)} frames, {settled} frames behind")
        assert statistics.median(settled) <= 3


def test_two_hundred_stream_clients(start_picam, photo_tables):
    count, seconds = 200, 30
    picam = start_picam(photo_tables(100))
    warm_up(picam, frames=24)  # all the camera's and the encoder's buffers are in use
    stalled, before, memory = stalls(picam), picam.rss_kib(), []
    with contextlib.closing(Swarm()) as swarm:
        clients = swarm.add(picam.port, count)
        processor, captured = picam.cpu_seconds(), picam.newest_frame()
        swarm.run(seconds, lambda: memory.append(picam.rss_kib()))
        processor, captured = picam.cpu_seconds() - processor, picam.newest_frame() - captured
        frames = sum(len(client.sequences) for client in clients)
        delays = sorted(delay for client in clients for delay in client.delays)
        growth = (max(memory) - before) / count
        p50, p99 = (1000 * delays[len(delays) * part // 100] for part in (50, 99))
        print(f"\n{count} clients, {frames / seconds / count:.2f} Hz each, delay p50 {p50:.0f} ms, p99 {p99:.0f} ms, "
              f"{processor / frames * 1e6:.0f} µs processor a client-frame, RSS {growth:.1f} KiB a client, "
              f"lost {sum(client.lost(START) for client in clients)}")  # fmt: skip
        assert [client.error for client in clients if client.error] == []
        assert {client.status for client in clients} == {200}
        # Most of what there was; how much that is depends on what else the machine does. None is served last.
        received = [len(client.sequences) for client in clients]
        assert min(received) >= 0.5 * max(received) >= 0.1 * captured
        assert picam.status()["streams"] == count
    assert growth <= 32 + stall_kib(picam, stalled) / count
    picam.wait_status(lambda status: status["streams"] == 0)
