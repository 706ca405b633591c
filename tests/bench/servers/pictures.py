"""The photographs in the form in which each server takes them; all who encode get the same pictures."""

import cv2
import numpy
from support import photos


class Pictures:
    """y4m: what picam plays; raw: {V4L2 format: file}; photographs: a folder of JPEGs; jpegs: the same at `quality`, as the
    server without an encoder sends them; ppm: one, for tjbench."""

    def __init__(self, folder, quality):
        self.photographs = photos.folder()
        self.y4m = folder / "photographs.y4m"
        self.raw = {name: folder / f"photographs.{name}" for name in ("YU12", "YUYV")}
        self.jpegs = folder / "jpegs"
        self.ppm = folder / "photograph.ppm"
        self.jpegs.mkdir(parents=True)
        width, height = photos.SIZE
        with self.y4m.open("wb") as y4m, self.raw["YU12"].open("wb") as yu12, self.raw["YUYV"].open("wb") as yuyv:
            y4m.write(f"YUV4MPEG2 W{width} H{height} F8:1 Ip A1:1 C420jpeg\n".encode())
            for file in sorted(self.photographs.glob("*.jpg")):
                picture = cv2.imread(str(file))
                planar = _planar(picture)
                y4m.write(b"FRAME\n" + planar.tobytes())
                yu12.write(planar.tobytes())
                yuyv.write(_packed(planar, height).tobytes())
                (self.jpegs / file.name).write_bytes(photos.jpeg(picture, quality))
        cv2.imwrite(str(self.ppm), picture)


def _planar(picture):
    """4:2:0 as JPEGs have it: full range."""
    luma, v, u = cv2.split(cv2.cvtColor(picture, cv2.COLOR_BGR2YCrCb))
    chroma = [cv2.resize(plane, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for plane in (u, v)]
    return numpy.concatenate([plane.reshape(-1, luma.shape[1]) for plane in (luma, *chroma)])


def _packed(planar, height):
    """4:2:2, each chroma line twice, of a planar 4:2:0 picture."""
    luma = planar[:height]
    u, v = planar[height:].reshape(2, height // 2, -1).repeat(2, axis=1)
    packed = numpy.empty((height, luma.shape[1], 2), numpy.uint8)
    packed[:, :, 0] = luma
    packed[:, 0::2, 1], packed[:, 1::2, 1] = u, v
    return packed
