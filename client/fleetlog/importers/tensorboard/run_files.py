"""Event files of one run, in their order: what of it is scalars, and where the rest is."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fleetlog.importers.messages import text_of
from fleetlog.importers.source import Points
from fleetlog.importers.tensorboard import events, hparams
from fleetlog.importers.tensorboard.records import Chunk, chunks, intact
from fleetlog.importers.tensorboard.scalars import Scalars, scalars_of
from fleetlog.importers.times import LATEST_MS, millisecond_of, milliseconds_of
from fleetlog.importers.unread import UnreadItems

_TIME_TAG = 0x09
_TIME_BYTES = 9
_TIMES_MISSING = "points whose time is none have the run's start as their time"
_SUPERSEDED = "points at or behind the step at which a later session began again"


@dataclass(frozen=True, slots=True)
class EventFile:
    """An event file of a run."""

    path: Path
    prefix: str = ""
    """Begin of the keys of what it tells, such as "train/" where runs are joined."""


@dataclass(slots=True)
class Overview:
    """What is known of a run before its points are read."""

    start_time: int | None = None
    end_time: int | None = None
    session: hparams.Session = field(default_factory=hparams.Session)


@dataclass(frozen=True, slots=True)
class Other:
    """An event that is more than scalars, and where its record is."""

    file: EventFile
    offset: int
    length: int
    event: Any


class RunFiles:
    """Files of a run, which are read piece by piece."""

    def __init__(self, files: Sequence[EventFile], unread: UnreadItems, *, drop_superseded: bool = False) -> None:
        self._files = files
        self._unread = unread
        self._drop_superseded = drop_superseded
        self._others: list[array[int]] | None = None
        self._first_time = 0

    def overview(self) -> Overview:
        """Times, hyperparameters and how the run ended, by the lengths of all records and the contents of few."""
        found = Overview()
        seconds: list[float] = []
        for _, file, chunk in self._chunks(is_told=False):
            seconds += _extreme_times(chunk)
            at = chunk.content.find(hparams.MARK)
            while at >= 0:
                place = int(np.searchsorted(chunk.starts, at, "right")) - 1
                if place >= 0 and at < chunk.starts[place] + chunk.lengths[place]:
                    self._add_session(file, chunk.record(place), found.session)
                at = chunk.content.find(hparams.MARK, at + 1)
        seconds += [found.session.start_seconds, found.session.end_seconds]
        times = sorted(time for one in seconds if (time := millisecond_of(one)) is not None)
        if times:
            found.start_time, found.end_time = times[0], times[-1]
            self._first_time = times[0]
        return found

    def points(self) -> Iterator[Points]:
        """Every scalar, in the order of the files: what a file gains stands behind what it had."""
        superseded = self._starts() if self._drop_superseded else {}
        others = [array("q") for _ in self._files]
        for number, file, chunk in self._chunks():
            columns, rest = self._decoded(file, chunk)
            for place in rest:
                others[number].extend((chunk.in_file(place), int(chunk.lengths[place])))
            yield from self._points(number, file, chunk, columns, superseded)
        self._others = others

    def others(self) -> Iterator[Other]:
        """Events that are more than scalars, in the order of the files."""
        if self._others is None:
            for _ in self.points():
                pass
        for file, places in zip(self._files, self._others or (), strict=False):
            with file.path.open("rb") as opened:
                for offset, length in zip(places[::2], places[1::2], strict=True):
                    opened.seek(offset)
                    event = events.event_of(opened.read(length))
                    if event is not None:
                        yield Other(file, offset, length, event)

    def _decoded(self, file: EventFile, chunk: Chunk) -> tuple[list[Scalars], list[int]]:
        """Scalars of a chunk, and the places of the events that tell more than scalars."""
        columns: list[Scalars] = []
        rest: list[int] = []
        for places, rows in intact(chunk, lambda offset, why: self._unread.add(str(file.path), why, offset)):
            some, left = scalars_of(places, rows)
            columns += some
            rest += left.tolist()
        kept: list[int] = []
        for place in sorted(rest):
            event = events.event_of(chunk.record(place))
            if event is None:
                self._unread.add(str(file.path), "a record that is no event of TensorBoard's", chunk.in_file(place))
                continue
            count = 0
            for tag, number in events.scalars_in(event):
                count += 1
                columns.append(
                    Scalars(
                        tag, np.array([place]), np.array([event.step]), np.array([event.wall_time]), np.array([number])
                    )
                )
            if not event.HasField("summary") or count < len(event.summary.value):
                kept.append(place)
        return columns, kept

    def _points(
        self, number: int, file: EventFile, chunk: Chunk, columns: list[Scalars], superseded: dict[int, array[int]]
    ) -> Iterator[Points]:
        by_tag: dict[bytes, list[Scalars]] = {}
        for column in columns:
            by_tag.setdefault(column.tag, []).append(column)
        limit = self._limits(number, chunk, superseded) if superseded else None
        for tag, pieces in by_tag.items():
            places = np.concatenate([piece.places for piece in pieces])
            order = np.argsort(places, kind="stable") if len(pieces) > 1 else slice(None)
            steps = np.concatenate([piece.steps for piece in pieces])[order]
            walls = np.concatenate([piece.wall_times for piece in pieces])[order]
            values = np.concatenate([piece.values for piece in pieces])[order]
            if limit is not None:
                kept = steps < limit[places[order]]
                self._unread.count(str(file.path), _SUPERSEDED, int(len(kept) - kept.sum()))
                steps, walls, values = steps[kept], walls[kept], values[kept]
            times, is_none = milliseconds_of(walls, self._first_time)
            self._unread.count(str(file.path), _TIMES_MISSING, int(is_none.sum()), is_fault=True)
            if len(steps):
                yield Points(file.prefix + text_of(tag), steps, values, times)

    def _starts(self) -> dict[int, array[int]]:
        """Offsets and steps of the sessions that began again, by file."""
        found: dict[int, array[int]] = {}
        for number, file, chunk in self._chunks():
            for place in self._decoded(file, chunk)[1]:
                event = events.event_of(chunk.record(place))
                if event is not None and event.session_log.status == events.START:
                    found.setdefault(number, array("q")).extend((chunk.in_file(place), event.step))
        return found

    def _limits(self, number: int, chunk: Chunk, superseded: dict[int, array[int]]) -> Any:
        """Step below which the points of each event of the chunk hold: no later session began at it or before."""
        offsets = chunk.starts + chunk.offset
        limits = np.full(len(offsets), np.iinfo(np.int64).max)
        for file, found in superseded.items():
            for offset, step in zip(found[::2], found[1::2], strict=True):
                if file >= number:
                    is_before = offsets < offset if file == number else np.ones(len(offsets), bool)
                    limits[is_before] = np.minimum(limits[is_before], step)
        return limits

    def _add_session(self, file: EventFile, record: bytes, session: hparams.Session) -> None:
        event = events.event_of(record)
        for value in event.summary.value if event is not None else ():
            if value.tag.startswith(hparams.MARK) and not session.add(value):
                self._unread.add(str(file.path), "hyperparameters that can't be read")

    def _chunks(self, *, is_told: bool = True) -> Iterator[tuple[int, EventFile, Chunk]]:
        """Chunks of the files in their order, each with its file and that one's number."""
        for number, file in enumerate(self._files):

            def report(offset: int, why: str, path: Path = file.path) -> None:
                if is_told:
                    self._unread.add(str(path), why, offset)

            try:
                with file.path.open("rb") as opened:
                    for chunk in chunks(opened, report):
                        yield number, file, chunk
            except OSError as error:
                self._unread.add(str(file.path), f"it can't be read: {error.strerror}")


def _extreme_times(chunk: Chunk) -> list[float]:
    """The first and the last wall time of the events of a chunk, in seconds since 1970."""
    starts = chunk.starts[chunk.lengths >= _TIME_BYTES]
    if not len(starts):
        return []
    heads = np.lib.stride_tricks.sliding_window_view(np.frombuffer(chunk.content, np.uint8), _TIME_BYTES)[starts]
    times = np.ascontiguousarray(heads[heads[:, 0] == _TIME_TAG, 1:]).view("<f8")[:, 0]
    times = times[(times > 0) & (times < LATEST_MS / 1000)]
    return [float(times.min()), float(times.max())] if len(times) else []
