"""The machine-readable stamp that picam draws into its pictures.

Two rows of 48 square blocks, block = width / 72 rounded down to even; row 0 starts at (block, block), row 1
lies right below. 96 bits, most significant first: 32 bit frame sequence, 48 bit capture time in Unix
milliseconds, 16 bit CRC-16/CCITT-FALSE over the ten bytes before.

Needs nothing but NumPy, so that Debian's own Python (beside rospy) can use it too.
"""

from typing import NamedTuple

import numpy

COLUMNS = 48
ROWS = 2


class Stamp(NamedTuple):
    """`sequence`: frame number; `time`: capture time in Unix seconds (millisecond steps)."""

    sequence: int
    time: float


def block_size(width):
    """Edge of one block in pixels for a picture that is `width` pixels wide."""
    return width // 72 // 2 * 2


def area(width):
    """(x, y, width, height) in pixels of everything the stamp covers: blocks, border, and the text below."""
    block = block_size(width)
    return 0, 0, (COLUMNS + 2) * block, 10 * block


def crc16(data):
    """CRC-16/CCITT-FALSE: polynomial 0x1021, start value 0xffff."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def _centres(width):
    block = block_size(width)
    if block < 4:
        raise ValueError(f"a picture {width} pixels wide has no stamp")
    rows = block + block // 2 + block * numpy.arange(ROWS)
    columns = block + block // 2 + block * numpy.arange(COLUMNS)
    return rows, columns


def decode(picture, width=None):
    """The `Stamp` of a picture (height × width, gray or BGR/RGB), or None if there is no valid one.

    `width` is the full picture's width where `picture` is only its upper left part.
    """
    rows, columns = _centres(width or picture.shape[1])
    samples = numpy.asarray(picture)[numpy.ix_(rows, columns)]
    if samples.ndim == 3:
        samples = samples.mean(axis=2)
    data = numpy.packbits((samples > 128).reshape(-1)).tobytes()
    if crc16(data[:10]) != int.from_bytes(data[10:], "big"):
        return None
    return Stamp(int.from_bytes(data[:4], "big"), int.from_bytes(data[4:10], "big") / 1000)


def encode(picture, sequence, time):
    """Draws a stamp into a gray picture in place: for testing `decode` and for peers without picam."""
    data = sequence.to_bytes(4, "big") + round(time * 1000).to_bytes(6, "big")
    data += crc16(data).to_bytes(2, "big")
    block = block_size(picture.shape[1])
    bits = numpy.unpackbits(numpy.frombuffer(data, numpy.uint8)).reshape(ROWS, COLUMNS)
    picture[: 4 * block, : 50 * block] = 128
    picture[block : 3 * block, block : 49 * block] = numpy.kron(bits, numpy.ones((block, block), numpy.uint8)) * 235
