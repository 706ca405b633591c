"""The real image_publisher node, as Debian ships it for ROS 1, publishing picam's stream."""

import json
import queue
import socket
import subprocess
import threading
import time
import urllib.request
import xmlrpc.client
from pathlib import Path

import cv2
import numpy
import pytest
from support import photos
from support.process import stop
from support.tries import holds_once, skipped

NODE = "/usr/lib/image_publisher/image_publisher"
TOPIC = "/cam2/image_publisher/image_raw"
RATE = 8


class Ros:
    """A ROS master, the node, and a listener on its topic, all on loopback; stopped together."""

    def __init__(self, url, folder):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        master = f"http://127.0.0.1:{port}"
        self.environment = {
            "PATH": "/usr/bin:/bin",  # Debian's Python for everything here: only it has rospy
            "HOME": str(folder),
            "ROS_HOME": str(folder),
            "ROS_MASTER_URI": master,
            "ROS_HOSTNAME": "127.0.0.1",
        }
        self.folder = folder
        self.processes = []
        self.messages = queue.Queue()
        self.start("master", ["/usr/bin/rosmaster", "--core", "-p", str(port)])
        self.wait_master(master)
        node = [NODE, url, f"_publish_rate:={RATE}", "__name:=image_publisher"]
        self.node = self.start("node", node, ROS_NAMESPACE="cam2")
        listener = str(Path(__file__).with_name("ros_listener.py"))
        self.listener = self.start("listener", ["/usr/bin/python3", listener, TOPIC], stdout=subprocess.PIPE)
        threading.Thread(target=self._read, daemon=True).start()

    def start(self, name, command, stdout=None, **environment):
        with open(self.folder / f"{name}.log", "wb") as log:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout or log,
                stderr=log,
                text=True,
            )
        self.processes.append(process)
        return process

    @staticmethod
    def wait_master(url, timeout=20.0):
        deadline = time.monotonic() + timeout
        while True:
            try:
                return xmlrpc.client.ServerProxy(url).getPid("/test")
            except OSError:
                assert time.monotonic() < deadline, "rosmaster did not start"
                time.sleep(0.05)

    def _read(self):
        for line in self.listener.stdout:
            self.messages.put(json.loads(line))

    def next(self, timeout=20.0):
        """The next message that arrives on the topic."""
        try:
            return self.messages.get(timeout=timeout)
        except queue.Empty:
            logs = "\n".join(f"{log}: {log.read_text()[-2000:]}" for log in self.folder.glob("*.log"))
            raise AssertionError(f"no image on {TOPIC} for {timeout} s\n{logs}") from None

    def wait(self, condition, timeout):
        """The first message that `condition` holds for."""
        deadline = time.monotonic() + timeout
        while not condition(message := self.next()):
            assert time.monotonic() < deadline, f"not within {timeout} s"
        return message

    def close(self):
        for process in reversed(self.processes):
            stop(process)


@pytest.fixture(scope="module")
def stalling_picam(start_module_picam, photo_tables):
    return start_module_picam(photo_tables(500), env={"PICAM_TEST_FAULTS": "1"})


@pytest.fixture(scope="module")
def ros(stalling_picam, tmp_path_factory):
    ros = Ros(stalling_picam.url + "/stream", tmp_path_factory.mktemp("ros"))
    yield ros
    ros.close()


def nearest_photograph(message):
    """Smallest mean absolute difference in levels between a message's sampled pixels and a photograph's."""
    seen = numpy.array(message["pixels"], float)
    rows = slice(5, None)  # below the stamp
    files = sorted(photos.frame_set(500)[0].glob("*.jpg"))
    return min(numpy.abs(seen[rows] - cv2.imread(str(file))[::64, ::64][rows]).mean() for file in files)


def test_node_publishes_every_frame(ros):
    """At its own rate, which is the stream's: one frame in seven may be left out or come twice where two clocks drift."""
    ros.wait(lambda message: message["sequence"] is not None, 20)

    def attempt():
        messages = [ros.next() for _ in range(6 * RATE)]
        rate = (len(messages) - 1) / (messages[-1]["arrived"] - messages[0]["arrived"])
        print(f"\nimage_publisher: {rate:.3f} Hz, median age {numpy.median([m['age'] for m in messages]):.3f} s")
        sequences = [message["sequence"] for message in messages]
        assert None not in sequences, "a broken picture was published"
        return skipped(sequences) - len(sequences) // 7

    holds_once(attempt)


def test_node_publishes_the_photographs(ros):
    message = ros.next()
    assert (message["width"], message["height"], message["encoding"]) == (*photos.SIZE, "bgr8")
    assert nearest_photograph(message) < 3.0


def test_node_recovers_from_a_camera_that_stalled_for_ten_seconds(ros, stalling_picam):
    before = ros.wait(lambda message: message["sequence"] is not None, 10)
    start = time.time()
    with urllib.request.urlopen(stalling_picam.url + "/debug/stall?seconds=10", timeout=5) as answer:
        assert answer.status == 200
    # Live again: a picture that was taken after the stall, and one of the photographs as it was.
    stalled_until = start + 10

    def live(message):
        return message["sequence"] is not None and message["arrived"] - message["age"] > stalled_until - 0.5

    first = ros.wait(live, 25)
    assert first["sequence"] > before["sequence"]
    print(f"\nimage_publisher: a live picture {first['arrived'] - stalled_until:.2f} s after the stall")
    after = [ros.next() for _ in range(2 * RATE)]
    assert all(message["sequence"] is not None for message in after)
    assert len({message["sequence"] for message in after}) > 1
    assert nearest_photograph(after[-1]) < 3.0
    assert ros.node.poll() is None
    assert stalling_picam.status()["signal"] == "live"
