"""VLC, without a screen, as a user who is not root: the pictures that it would have shown."""

import contextlib
import os
import pathlib
import subprocess
import tempfile
import time

import cv2
from support import stamp
from support.appliance import PATIENCE
from support.photos import SIZE
from support.process import as_nobody, stop


class Player:
    """VLC playing `url`; its scene filter writes every fourth picture that it shows into `folder`."""

    def __init__(self, url, folder):
        self.folder = folder
        self.done = 0
        scene = ["--video-filter=scene", "--scene-format=png", "--scene-ratio=4", f"--scene-path={folder}"]
        command = [
            "cvlc",
            "--quiet",
            "--no-audio",
            "--intf=dummy",
            "--vout=dummy",
            "--no-video-title-show",
            *scene,
            url,
        ]
        self.process = subprocess.Popen(
            as_nobody() + command,
            cwd=folder,
            env={**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def pictures(self):
        """The pictures written since the last call, without the newest, which may still be being written."""
        files = sorted(self.folder.glob("scene*.png"))
        new = files[self.done : -1]
        self.done += len(new)
        return [cv2.imread(str(file)) for file in new]


@contextlib.contextmanager
def playing(url):
    """A player of it."""
    # Not pytest's own folder: that one is closed to other users.
    with tempfile.TemporaryDirectory(prefix="picam-vlc-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o777)
        player = Player(url, folder)
        try:
            yield player
        finally:
            stop(player.process)


def test_vlc_shows_the_live_stream(photo_picam):
    with playing(photo_picam.url + "/stream") as player:
        sequences, deadline = [], time.monotonic() + PATIENCE
        while len(set(sequences)) < 4:  # VLC paints a picture anew as it likes: the same one may come twice
            assert player.process.poll() is None, "VLC ended"
            assert time.monotonic() < deadline, f"the picture does not move; frames seen: {sequences}"
            for picture in player.pictures():
                # The scene filter writes the decoder's whole buffer: a few padding rows below the picture.
                assert picture.shape[1] == SIZE[0] and 0 <= picture.shape[0] - SIZE[1] <= 16
                found = stamp.decode(picture)
                assert found, "VLC shows a broken picture"
                sequences.append(found.sequence)
            time.sleep(0.1)  # files of another process: nothing to wait on
    assert sequences == sorted(sequences)


def test_vlc_sends_the_token_of_its_address(start_picam):
    camera = {"width": 640, "height": 360, "rate": 8}
    picam = start_picam({"camera": camera, "server": {"token": "a-long-token", "key": "a-long-key"}})
    with playing(f"http://technician:a-long-token@127.0.0.1:{picam.port}/stream") as player:
        deadline = time.monotonic() + PATIENCE
        while not (pictures := player.pictures()):
            assert player.process.poll() is None and time.monotonic() < deadline, "VLC shows nothing"
            time.sleep(0.1)  # files of another process: nothing to wait on
    assert pictures[0].shape[1] == camera["width"]
