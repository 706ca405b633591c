"""Limits on connections and on time: idle ones go, too many are refused or wait, none makes picam spin."""

import contextlib
import resource
import select
import selectors
import socket
import time

import pytest
from support import raw
from support.appliance import PATIENCE
from support.attackers import HONEST
from support.memory import FLAT_KIB, bounded
from support.swarm import Swarm
from support.tries import holds_once, skipped

# limits.request_seconds of picam, unless the test sets another.
REQUEST_SECONDS = 5.0


@pytest.fixture(scope="module", autouse=True)
def many_descriptors():
    """This process needs a descriptor for each of its connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def wait_all_closed(socks):
    """Reads until the server has closed every connection."""
    deadline = time.monotonic() + PATIENCE
    with selectors.DefaultSelector() as selector:
        for sock in socks:
            sock.setblocking(False)
            selector.register(sock, selectors.EVENT_READ)
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                try:
                    ended = not key.fileobj.recv(4096)
                except ConnectionResetError:
                    ended = True
                if ended:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
        assert not selector.get_map(), f"{len(selector.get_map())} connections are still open after {PATIENCE} s"


def close_all(socks):
    for sock in socks:
        sock.close()


def assert_not_spinning(picam, seconds=1.0):
    """The process uses next to no processor time while nothing happens for `seconds`."""
    before = picam.cpu_seconds()
    select.select([], [], [], seconds)  # the passing of time is what is measured
    assert picam.cpu_seconds() - before < 0.3 * seconds


@pytest.mark.parametrize("beginning", [b"", b"GET /jpg HTT"], ids=["silent", "half a request"])
def test_one_thousand_idle_connections_are_cut_after_the_request_time(start_picam, small_tables, beginning):
    limits = {"limits": {"connections": 1100, "connections_hard": 1200}}
    picam = start_picam({**small_tables, **limits})
    with bounded(picam, 1000 * 32):
        socks = [raw.connect(picam.port) for _ in range(999)]
        before_the_last = time.monotonic()
        socks.append(raw.connect(picam.port))
        for sock in socks:
            if beginning:
                sock.sendall(beginning)
        wait_all_closed(socks)
        assert time.monotonic() - before_the_last > REQUEST_SECONDS
    assert picam.refused("request_seconds") == 1000, "it was this limit that cut them"
    assert raw.exchange(picam.port, raw.get("/jpg"), PATIENCE).status == 200


def test_one_thousand_idle_connections_with_the_default_limits(start_picam, small_tables):
    picam = start_picam(small_tables)
    with bounded(picam, 320 * 32):
        wait_all_closed([raw.connect(picam.port) for _ in range(1000)])
    assert picam.refused("request_seconds") + picam.refused("connections") == 1000
    assert raw.exchange(picam.port, raw.get("/jpg"), PATIENCE).status == 200


def test_incomplete_request_is_answered_408(start_picam, small_tables):
    picam = start_picam({**small_tables, "limits": {"request_seconds": 0.5}})
    with raw.connect(picam.port) as sock:
        start = time.monotonic()
        sock.sendall(b"GET /jpg HTTP/1.1\r\nHost: x\r\n")
        answer = raw.parse(*raw.read_to_end(sock, PATIENCE))
    assert answer.status == 408
    assert b"0.5 s" in answer.body, "the line says how long it was waited for"
    assert time.monotonic() - start > 0.5


def test_request_that_trickles_is_cut_off(start_picam, small_tables):
    picam = start_picam({**small_tables, "limits": {"request_seconds": 1.0}})
    # A byte each tenth of a second: some ten of them fit into the time for a request, on a busy machine fewer.
    sent, most = 0, 300
    with raw.connect(picam.port) as sock:
        sock.sendall(b"GET /jpg HTTP/1.1\r\nX: ")
        while sent < most and not select.select([sock], [], [], 0.1)[0]:
            sock.sendall(b"a")
            sent += 1
        assert sent < most, "a byte now and then keeps the connection for ever"
        assert raw.parse(*raw.read_to_end(sock, PATIENCE)).status == 408


def test_soft_limit_is_answered_503(start_picam, small_tables):
    picam = start_picam({**small_tables, "limits": {"connections": 4, "connections_hard": 40, "streams": 4}})
    with contextlib.closing(Swarm()) as swarm:
        served = swarm.add(picam.port, 4, source=HONEST)
        while not all(client.sequences for client in served):
            swarm.run(0.2)
            assert not any(client.error for client in served)

        def knock():
            for _ in range(10):
                answer = raw.exchange(picam.port, raw.get("/jpg"), PATIENCE, source=HONEST)
                assert (answer.status, answer.headers["x-limit"]) == (503, "connections")
                assert b"limits.connections" in answer.body and answer.body.count(b"\n") == 1

        def knocks_beside_the_served():
            starts = [len(client.sequences) - 1 for client in served]
            swarm.run(3, knock)
            assert [client.error for client in served] == [None] * 4
            return sum(skipped(client.sequences[start:]) for client, start in zip(served, starts))

        holds_once(knocks_beside_the_served)  # the refused do not disturb the served
        served[0].sock.close()
        deadline = time.monotonic() + PATIENCE
        while raw.exchange(picam.port, raw.get("/jpg"), PATIENCE, source=HONEST).status != 200:
            assert time.monotonic() < deadline, "the place of a client that left is not free"


def test_stream_limit_is_answered_503_while_the_rest_is_served(start_picam, small_tables):
    picam = start_picam({**small_tables, "limits": {"streams": 2}})
    streams = [raw.Stream(picam.port) for _ in range(2)]
    third = raw.exchange(picam.port, raw.get("/stream"))
    assert third.status == 503
    assert b"limits.streams" in third.body and third.headers["x-limit"] == "streams"
    assert raw.exchange(picam.port, raw.get("/jpg")).status == 200
    streams[0].close()
    picam.wait_status(lambda status: status["streams"] == 1)
    with raw.Stream(picam.port) as again:
        assert again.status == 200
        again.next()
    streams[1].close()


def test_events_have_a_limit_of_their_own(start_picam, small_tables):
    picam = start_picam({**small_tables, "limits": {"streams": 1, "events": 1}})
    with raw.Stream(picam.port) as stream, socket.create_connection(("127.0.0.1", picam.port), PATIENCE) as first:
        stream.next()
        first.sendall(raw.get("/events"))
        assert b"data: " in b"".join(iter(lambda: first.recv(1), b"{"))
        second = raw.exchange(picam.port, raw.get("/events"))
        assert second.status == 503
        assert b"limits.events" in second.body and second.headers["x-limit"] == "events"
        status = picam.status()
        assert (status["streams"], status["events"], picam.refused("events")) == (1, 1, 1)
    picam.wait_status(lambda status: status["events"] == 0)


def test_slow_clients_keep_few_pictures_in_memory(start_picam):
    """Each stops reading within another picture: the one with the oldest picture is cut, one by one."""
    most, clients = 4, 24
    picam = start_picam({"limits": {"jpegs": most, "write_seconds": 600.0}})  # full size, quality 100
    size = len(picam.get("/jpg")[2])
    with bounded(picam, FLAT_KIB + (most + 4) * size // 1024), contextlib.ExitStack() as slow:
        for number in range(clients):
            sock = slow.enter_context(raw.connect(picam.port, receive_buffer=4096))
            sock.sendall(raw.get("/stream"))
            picam.wait_status(lambda status: picam.refused("jpegs") + status["streams"] > number)
            picam.get("/jpg?fresh=1")  # the next one stops within another picture
        picam.wait_status(lambda _: picam.refused("jpegs") >= clients - most - 2)
        picam.wait_status(lambda status: status["streams"] <= most)
        # Those who read are not among them.
        with raw.Stream(picam.port) as stream:
            stream.take(8)
    assert picam.refused("jpegs") <= clients and picam.refused("write_seconds") == 0


def test_connections_over_the_hard_limit_wait_without_cost(start_picam, small_tables):
    limits = {"connections": 10, "connections_hard": 12, "streams": 10, "request_seconds": 3.0}
    picam = start_picam({**small_tables, "limits": limits})
    others = picam.open_sockets()
    with bounded(picam):
        socks = [raw.connect(picam.port) for _ in range(100)]
        most, deadline = 0, time.monotonic() + 1.5
        before = picam.cpu_seconds()
        while time.monotonic() < deadline:
            most = max(most, picam.open_sockets() - others)
        # One more than the limit: accepted, then parked. A stream's second descriptor is not in use here.
        assert most <= 13
        assert picam.cpu_seconds() - before < 0.5
        close_all(socks)
    assert raw.exchange(picam.port, raw.get("/jpg"), PATIENCE).status == 200


def test_too_few_descriptors_do_not_make_it_spin(start_picam, small_tables):
    def scarce():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    picam = start_picam(small_tables, preexec=scarce)
    picam.wait_log("open files")
    socks = [raw.connect(picam.port) for _ in range(200)]
    with raw.connect(picam.port) as one:
        select.select([one], [], [], 1.5)  # past the moment until which idle connections are not even accepted
        assert_not_spinning(picam)
    close_all(socks)
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if raw.exchange(picam.port, raw.get("/jpg"), timeout=2.0).status == 200:
                break
        except (AssertionError, OSError):
            pass  # still busy with those that are gone: asked again
        assert time.monotonic() < deadline, "picam does not recover"
