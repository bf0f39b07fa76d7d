"""Tables of histories as a source of runs: a file is a run, or what its header or its name says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fleetlog._imports.text_files import suffix_of
from fleetlog.importers.places import existing
from fleetlog.importers.source import Points, SourceError, SourceExperiment, SourceRun, Unread
from fleetlog.importers.tables.headers import Header, Series, header_of
from fleetlog.importers.tables.rows import SUFFIXES, Piece, numbers_of, pieces, times_of
from fleetlog.importers.unread import UnreadItems

_NO_NUMBERS = "cells of column {} that are no numbers"
_NO_STEPS = "rows whose step is no number are left out"


def open_tables(place: str, map: str = "", encoding: str | None = None) -> TableSource:  # noqa: A002 - the option's name
    """Returns the source at a place. `map`: COLUMN:TARGET, parted by commas. SourceError: nothing of it can be read."""
    mapped: dict[str, str] = {}
    for pair in filter(None, map.split(",")):
        column, sign, target = pair.rpartition(":")
        if not sign or not column or not target:
            raise SourceError(f"map={pair!r}: give COLUMN:TARGET; a target is step, time, a key, or - to leave it out")
        mapped[column.strip()] = target.strip()
    return TableSource(existing(place), mapped=mapped, encoding=encoding)


class TableSource:
    """A CSV or Parquet file with a row for each step, or a folder of such files.

    Args:
        path: The file or the folder.
        mapped: What columns are whose names don't say it: column → "step", "time", a key, or "-" to leave it out.
        encoding: Encoding of CSV files; None = UTF-8, or what a byte order mark says.
    """

    kind = "table"

    def __init__(self, path: Path, *, mapped: Mapping[str, str] | None = None, encoding: str | None = None) -> None:
        self._path = path
        self._mapped = mapped or {}
        self._encoding = encoding
        self._unread = UnreadItems()

    def experiments(self) -> Iterator[SourceExperiment]:
        """None: a folder has nothing but its name."""
        return iter(())

    def runs(self, since: int | None = None) -> Iterator[SourceRun]:
        """Every run; `since` asks when a file was last written to. What is read as what is told of each file."""
        parts: dict[str, list[tuple[Path, Header, list[Series]]]] = {}
        starts: dict[str, int] = {}
        for path, first, header in self._headers():
            changed = path.stat().st_mtime_ns // 1_000_000
            if since is not None and changed < since:
                continue
            self._unread.add(str(path), header.in_words(), is_fault=False)
            for column, why in header.left_out.items():
                self._unread.add(f"{path}, column {column}", f"left out: {why}", is_fault=False)
            start = int(self._times(first, header, changed).min(initial=changed))
            for run in dict.fromkeys(one.run for one in header.series):
                name = run or _name_of(path)
                parts.setdefault(name, []).append((path, header, [one for one in header.series if one.run == run]))
                starts[name] = min(starts.get(name, start), start)
        for name, some in parts.items():
            yield SourceRun(
                id=f"{self._folder()}/{name}",
                experiment=self._folder(),
                name=name,
                start_time=starts[name],
                points=partial(self._points, some),
            )

    def described(self) -> Iterator[str]:
        """What the columns of each file are read as, which is known before anything is sent. SourceError."""
        for path, _, header in self._headers():
            yield f"{path}: {header.in_words()}"

    def unread(self) -> Sequence[Unread]:
        """What has been left out so far."""
        return self._unread()

    def _headers(self) -> Iterator[tuple[Path, Piece, Header]]:
        """Each file, its first rows, and what its columns are. SourceError."""
        for path in self._files():
            first = next(self._pieces(path), None)
            if first is None:
                continue
            try:
                header = header_of(list(first.columns), path.name.split(".")[0], self._mapped)
            except ValueError as error:
                raise SourceError(f"{path}: {error}") from None
            yield path, first, header

    def _points(self, parts: Sequence[tuple[Path, Header, list[Series]]]) -> Iterator[Points]:
        for path, header, series in parts:
            changed = path.stat().st_mtime_ns // 1_000_000
            for piece in self._pieces(path):
                times = self._times(piece, header, changed)
                steps, has_step = self._steps(path, piece, header)
                for one in series:
                    values, there, others = numbers_of(piece.columns[one.column])
                    self._unread.count(str(path), _NO_NUMBERS.format(one.column), others)
                    there = there & has_step
                    if there.any():
                        yield Points(one.key, steps[there], values[there], times[there])

    def _steps(self, path: Path, piece: Piece, header: Header) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        if header.step is None:
            return np.arange(piece.first, piece.first + piece.count, dtype=np.int64), np.ones(piece.count, bool)
        numbers, there, _ = numbers_of(piece.columns[header.step])
        there = there & (np.abs(numbers) < 2.0**63)
        self._unread.count(str(path), _NO_STEPS, int((~there).sum()), is_fault=True)
        return np.where(there, numbers, 0).astype(np.int64), there

    def _times(self, piece: Piece, header: Header, changed: int) -> npt.NDArray[np.int64]:
        if header.time is None:
            return np.full(piece.count, changed, np.int64)
        return times_of(piece.columns[header.time], changed)

    def _pieces(self, path: Path) -> Iterator[Piece]:
        return pieces(path, self._encoding, lambda place, why: self._unread.add(str(path), why, place))

    def _folder(self) -> str:
        resolved = self._path.resolve()
        return resolved.parent.name if resolved.is_file() else resolved.name

    def _files(self) -> list[Path]:
        if self._path.is_file():
            return [self._path]
        found = sorted(path for path in self._path.rglob("*") if path.is_file() and suffix_of(path) in SUFFIXES)
        if not found:
            raise SourceError(f"{self._path}: there are no tables; give a .csv, .tsv (also .gz) or .parquet file")
        return found


def _name_of(path: Path) -> str:
    """The file's name; its folder's where that is a number, as in the artifacts that W&B keeps histories in."""
    name = path.name.split(".")[0]
    return path.parent.name if name.isdigit() else name
