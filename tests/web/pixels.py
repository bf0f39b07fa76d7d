"""Pixels of what a person sees, out of a screenshot."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from playwright.sync_api import Locator

CHANNELS = {2: 3, 6: 4}
"""Bytes of a pixel by the colour type of a PNG, of 8 bits a channel."""


@dataclass(frozen=True)
class Picture:
    """A picture, row by row."""

    width: int
    height: int
    rows: list[list[tuple[int, int, int]]]

    def has_near(self, x: int, y: int, colour: str, reach: int = 3, tolerance: int = 60) -> bool:
        """True if a pixel within `reach` of a place is nearly of a colour, written as "#2563c9"."""
        wanted = tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))
        return any(
            sum(abs(left - right) for left, right in zip(self.rows[row][column], wanted, strict=True)) <= tolerance
            for row in range(max(0, y - reach), min(self.height, y + reach + 1))
            for column in range(max(0, x - reach), min(self.width, x + reach + 1))
        )

    def count(self, colour: str, tolerance: int = 60) -> int:
        """Number of pixels that are nearly of a colour."""
        wanted = tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))
        return sum(
            sum(abs(left - right) for left, right in zip(pixel, wanted, strict=True)) <= tolerance
            for row in self.rows
            for pixel in row
        )


def picture(locator: Locator) -> Picture:
    """What an element looks like."""
    return decoded(locator.screenshot(animations="disabled"))


def decoded(png: bytes) -> Picture:
    """The picture of a PNG of 8 bits a channel, as Chromium writes it."""
    at, data = 8, b""
    width = height = channels = 0
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, _, colour_type = struct.unpack(">IIBB", body[:10])
            channels = CHANNELS[colour_type]
        elif kind == b"IDAT":
            data += body
        at += 12 + length
    flat, stride = zlib.decompress(data), width * channels
    before, rows = bytearray(stride), []
    for row in range(height):
        start = row * (stride + 1)
        line = unfiltered(flat[start], bytearray(flat[start + 1 : start + 1 + stride]), before, channels)
        rows.append([(line[x], line[x + 1], line[x + 2]) for x in range(0, stride, channels)])
        before = line
    return Picture(width, height, rows)


def unfiltered(kind: int, line: bytearray, before: bytearray, channels: int) -> bytearray:
    """A line without the filter of the PNG: each byte was told by its difference to its neighbours."""
    for at in range(len(line)):
        left = line[at - channels] if at >= channels else 0
        above, corner = before[at], before[at - channels] if at >= channels else 0
        guess = (0, left, above, (left + above) // 2, _paeth(left, above, corner))[kind]
        line[at] = (line[at] + guess) & 255
    return line


def _paeth(left: int, above: int, corner: int) -> int:
    estimate = left + above - corner
    return min((left, above, corner), key=lambda each: abs(estimate - each))
