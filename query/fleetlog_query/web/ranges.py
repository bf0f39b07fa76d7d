"""Range headers: a part of an artifact, as players of audio and video ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)


class RangeUnsatisfiable(ValueError):
    """No byte of the artifact is in the range."""


@dataclass(frozen=True)
class ByteRange:
    """Bytes from `first` on, `length` of them."""

    first: int
    length: int

    def header(self, size: int) -> str:
        """The Content-Range of an answer with it."""
        return f"bytes {self.first}-{self.first + self.length - 1}/{size}"


def byte_range(header: str | None, size: int) -> ByteRange | None:
    """The part that is asked for; None for all, also when the header is none that is understood. RangeUnsatisfiable."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        length = min(int(last), size)
        if not length:
            raise RangeUnsatisfiable
        return ByteRange(size - length, length)
    begin, end = int(first), min(int(last), size - 1) if last else size - 1
    if begin >= size:
        raise RangeUnsatisfiable
    return ByteRange(begin, end - begin + 1) if end >= begin else None
