"""The sequences of the writers of one stream: what was answered, and what lately stood under them. Pure."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache

from fleetlog_core.errors import FailedPrecondition, OutOfRange, Violation
from fleetlog_proto.v1 import frame_pb2

WriterKey = tuple[str, bytes, bytes]
"""Namespace, run id, writer id."""
WRITERS = 10_000
"""Writers that a stream remembers; the one that was silent longest is forgotten, and then is new to the stream."""
FRAMES = 16
"""Frames of a writer whose content is remembered."""
_WHOLE_BYTES = 16_384
_SAMPLE_BYTES = 4_096


@dataclass(slots=True)
class StreamWriter:
    """One writer, as its stream knows it."""

    looked_at: float
    """When its run was looked up, or asked to be (monotonic seconds)."""
    answered: int = 0
    """Highest sequence that is in the log or refused."""
    digests: dict[int, tuple[int, int]] = field(default_factory=dict)
    """First sequence of its latest frames to the last one, and a digest."""

    def took(self, first: int, last: int, digest: int) -> None:
        """A frame of these sequences, which follows, goes into the log."""
        if last > self.answered:
            self.answered = last
        if digest:
            digests = self.digests
            digests[first] = (last, digest)
            if len(digests) > FRAMES:
                del digests[next(iter(digests))]

    def refused(self, last: int) -> None:
        """A frame up to this sequence was refused, and is not to come again."""
        self.answered = max(self.answered, last)


class StreamWriters:
    """The writers of a stream. Used by one stream, for its frames in order."""

    def __init__(self) -> None:
        self._writers: OrderedDict[WriterKey, StreamWriter] = OrderedDict()

    def get(self, key: WriterKey) -> StreamWriter | None:
        """The writer; None when it is new to the stream."""
        writer = self._writers.get(key)
        if writer is not None:
            self._writers.move_to_end(key)
        return writer

    def add(self, key: WriterKey, now: float) -> StreamWriter:
        """A writer that is new to the stream, and whose run was looked up."""
        writer = self._writers[key] = StreamWriter(now)
        if len(self._writers) > WRITERS:
            self._writers.popitem(last=False)
        return writer

    def forget(self) -> None:
        """What was answered last is not known."""
        self._writers.clear()


def check_follows(writer: StreamWriter, first: int, last: int, digest: int) -> None:
    """OutOfRange SEQUENCE_GAP: sequences are missing before it. FailedPrecondition SEQUENCE_REUSED: other events had
    its sequences.

    A frame whose sequences were framed in another way before can't be told apart here; the fold does that.
    """
    expected = writer.answered + 1
    if first == expected:
        return
    path = "frame.events[0].sequence"
    if first > expected:
        text = f"{first:,} comes after {writer.answered:,}; send from {expected:,} on"
        raise OutOfRange(
            "SEQUENCE_GAP",
            f"{path}: {text}",
            violations=(Violation(path, text),),
            metadata={"expected_sequence": str(expected)},
        )
    before = writer.digests.get(first)
    if before is not None and digest and before[0] == last and before[1] != digest:
        text = (
            f"{first:,} to {last:,} were other events of this writer before, which stay; count on, and give each"
            " process a writer id of its own"
        )
        raise FailedPrecondition(
            "SEQUENCE_REUSED",
            f"{path}: {text}",
            violations=(Violation(path, text),),
            metadata={"expected_sequence": str(expected)},
        )


def digest_of(value: bytes, ingest_time_millis: int) -> int:
    """Digest of an encoded frame without the time at which it was taken, which stands last; 0: it does not.

    Of long frames the ends and some bytes between them count. Good for this process only.
    """
    tail = _tail_of(ingest_time_millis)
    if not value.endswith(tail):
        return 0
    size = len(value) - len(tail)
    if size <= _WHOLE_BYTES:
        return hash(value[:size])
    view = memoryview(value)[:size]
    between = bytes(view[:: size // _SAMPLE_BYTES])
    return hash((size, bytes(view[:_SAMPLE_BYTES]), bytes(view[-_SAMPLE_BYTES:]), between))


@lru_cache(maxsize=16)
def _tail_of(ingest_time_millis: int) -> bytes:
    return frame_pb2.Frame(ingest_time_millis=ingest_time_millis).SerializeToString()
