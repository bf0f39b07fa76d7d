"""Reading segments: record by record, each segment as far as it is good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleetlog._journal.records import HEAD, MAGIC, Damaged, LoggedFrame, Record, head_of, record_of

_BUFFER_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Damage:
    """Where the good part of a segment ends before the segment does."""

    path: Path
    offset: int
    lost_bytes: int
    why: str


def read_segment(path: Path, damages: list[Damage], offset: int = 0) -> Iterator[Record]:
    """The records of a segment from an offset on, 0 = its beginning. A damage that ends it is added to `damages`.

    What is appended meanwhile is read too. OSError.
    """
    with path.open("rb", _BUFFER_BYTES) as file:
        try:
            if offset == 0 and (magic := file.read(len(MAGIC))) != MAGIC:
                if len(magic) < len(MAGIC) and MAGIC.startswith(magic):
                    # It was just begun: there is nothing in it.
                    return
                raise Damaged("it does not begin as a journal does")
            offset = offset or len(MAGIC)
            file.seek(offset)
            while data := file.read(HEAD.size):
                head = head_of(data)
                record = record_of(head, file.read(head.length))
                offset += HEAD.size + head.length
                if record is not None:
                    yield record
        except Damaged as error:
            size = path.stat().st_size
            damages.append(Damage(path, offset, size - offset, str(error)))


def read_frames(paths: Sequence[Path], offset: int, damages: list[Damage]) -> Iterator[LoggedFrame]:
    """The frames of segments in their order, of the first one from an offset on. OSError."""
    for path in paths:
        for record in read_segment(path, damages, offset):
            if isinstance(record, LoggedFrame):
                yield record
        offset = 0
