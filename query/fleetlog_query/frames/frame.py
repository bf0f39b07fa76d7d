"""Columns of the runs of some experiments: what one question read is there for the next.

Runs of a fleet are mostly old and at rest. `run_changes` says which stretches of run ids changed since a column was
read, and only those are read again. It is read first and written last: a stretch may be read again for nothing, but
what is held is never older than what `run_changes` said. Columns are replaced, never written to: whoever got one may
keep it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.port import Statement
from fleetlog_proto.v1 import scope_pb2

from fleetlog_query.binds import Binds
from fleetlog_query.facets.segments import WHOLE, Span
from fleetlog_query.filter.values import Key, Series
from fleetlog_query.frames.marks import Marks, read_marks
from fleetlog_query.frames.splice import cuts_of, fits, met_inside, spliced, spliced_ids
from fleetlog_query.scope import Scope, attribute_text_sql, attrs_of
from fleetlog_query.selection.groups import Labels
from fleetlog_query.selection.meet import Ids, Places
from fleetlog_query.series_rows import Select
from fleetlog_query.value_rows import value_rows

Real = npt.NDArray[np.float64]
_TEXT_BYTES = 100
"""About what a text takes, and its place in the tables of texts."""
_NO_IDS = Ids(np.empty(0, "V16"))


@dataclass(frozen=True)
class Runs:
    """All runs by id, deleted ones too: their starts in Unix milliseconds, and which are deleted."""

    marks: Marks = field(default_factory=Marks)
    ids: Ids = _NO_IDS
    starts: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    deleted: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))


@dataclass(frozen=True)
class _Numbers:
    marks: Marks
    ids: Ids
    values: Real


@dataclass(frozen=True)
class _Texts:
    marks: Marks
    ids: Ids
    labels: Labels
    numbers: dict[str, int]


class Frame:
    """The columns of one scope, as they are now. Thread-safe: `lock` is to be held over one question."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.lock = threading.Lock()
        self._runs: Runs | None = None
        self._numbers: dict[Key | Series, _Numbers] = {}
        self._texts: dict[Key, _Texts] = {}

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        if self._runs is None:
            return 0
        held: list[Runs | _Numbers | _Texts] = [self._runs, *self._numbers.values(), *self._texts.values()]
        ids = {id(one.ids): len(one.ids) for one in held}
        texts = sum(len(one.labels.texts) for one in self._texts.values())
        rows = len(self._runs.ids)
        return 16 * sum(ids.values()) + rows * (9 + 8 * len(self._numbers) + 4 * len(self._texts)) + _TEXT_BYTES * texts

    def holds(self, key: Key | Series) -> bool:
        """Whether its numbers were read before."""
        return key in self._numbers

    def holds_text(self, key: Key) -> bool:
        """Whether its texts were read before."""
        return key in self._texts

    def runs(self, select: Select) -> Runs:
        """The runs as they are now; columns that are read next are of these."""
        held, marks = self._runs or Runs(), read_marks(select, self._scope.namespace)
        spans = [WHOLE] if self._runs is None else marks.changed(held.marks)
        if not spans:
            return held
        answer = select(_united(spans, self._scope, _run_rows))
        fresh = Ids.of(answer)
        cuts, fresh_cuts = cuts_of(held.ids, spans), cuts_of(fresh, spans)
        ids = spliced_ids(held.ids, cuts, fresh, fresh_cuts)
        starts, deleted = answer.array("start").astype(np.int64), answer.array("deleted").astype(bool)
        new_cuts = cuts_of(ids, spans)
        new_starts = spliced(held.starts, cuts, len(ids), new_cuts, 0)
        new_deleted = spliced(held.deleted, cuts, len(ids), new_cuts, False)
        for (first, last), (begin, end) in zip(new_cuts, fresh_cuts, strict=True):
            new_starts[first:last], new_deleted[first:last] = starts[begin:end], deleted[begin:end]
        self._runs = Runs(marks, ids, new_starts, new_deleted)
        return self._runs

    def numbers(self, source: Key | Series, select: Select) -> Real:
        """A value of each of the `runs`, NaN for none. Not of windows."""
        runs = self._runs or self.runs(select)
        held = self._numbers.get(source) or _Numbers(Marks(), _NO_IDS, np.empty(0))
        spans = self._spans(held, runs)
        if spans:
            answer = select(
                _united(
                    spans, self._scope, lambda at, binds: f"SELECT run_id, v FROM ({value_rows(source, at, binds)})"
                )
            )
            cuts, new_cuts = cuts_of(held.ids, spans), cuts_of(runs.ids, spans)
            values = spliced(held.values, cuts, len(runs.ids), new_cuts, np.nan)
            rows, places = met_inside(runs.ids, new_cuts, Ids.of(answer))
            values[places] = answer.array("v")[rows]
            held = self._numbers[source] = _Numbers(runs.marks, runs.ids, values)
        return held.values

    def texts(self, key: Key, select: Select) -> Labels:
        """A param, tag or attribute of each of the `runs` as text."""
        runs = self._runs or self.runs(select)
        held = self._texts.get(key)
        if held is None or len(held.numbers) > 2 * len(runs.ids) + 1_000:
            # Most of the texts are no run's any more, or nothing is known.
            held = _Texts(Marks(), _NO_IDS, Labels(np.empty(0, np.int32), []), {})
        spans = self._spans(held, runs)
        if spans:
            answer = select(_united(spans, self._scope, lambda at, binds: text_rows(key, at, binds)))
            numbers, given = dict(held.numbers), answer.coded("s")
            of_code = np.array([numbers.setdefault(text, len(numbers)) for text in given.texts], np.int32)
            cuts, new_cuts = cuts_of(held.ids, spans), cuts_of(runs.ids, spans)
            codes = spliced(held.labels.codes, cuts, len(runs.ids), new_cuts, -1)
            rows, places = met_inside(runs.ids, new_cuts, Ids.of(answer))
            codes[places] = of_code[given.codes[rows]]
            held = self._texts[key] = _Texts(runs.marks, runs.ids, Labels(codes, list(numbers)), numbers)
        return held.labels

    @staticmethod
    def _spans(held: _Numbers | _Texts, runs: Runs) -> list[Span]:
        """What is to be read anew of a column."""
        if held.ids is _NO_IDS:
            return [WHOLE]
        spans = runs.marks.changed(held.marks)
        # Between spans that changed a run may have been seen before its mark was.
        return (
            spans if fits(cuts_of(held.ids, spans), len(held.ids), cuts_of(runs.ids, spans), len(runs.ids)) else [WHOLE]
        )


def shown_places(runs: Runs, deleted_view: int) -> Places | None:
    """The runs that a DeletedView shows; None = all."""
    if deleted_view == scope_pb2.DELETED_VIEW_DELETED:
        return np.flatnonzero(runs.deleted)
    if deleted_view == scope_pb2.DELETED_VIEW_ALL or not runs.deleted.any():
        return None
    return np.flatnonzero(~runs.deleted)


def text_rows(key: Key, scope: Scope, binds: Binds) -> str:
    """run_id and s, of the runs that have one."""
    if key.kind == "attributes":
        text, present = attribute_text_sql(key.key)
        rows = f"FROM {scope.runs(binds)} WHERE {scope.sql(binds)} AND {present}"
    else:
        text, rows = "str", attrs_of(key.kind, key.key, scope, binds)
    return f"SELECT run_id, toLowCardinality({text}) AS s {rows}"


def _run_rows(scope: Scope, binds: Binds) -> str:
    rows = f"FROM {scope.runs(binds)} WHERE {scope.sql(binds)}"
    return f"SELECT run_id, toUnixTimestamp64Milli(start_time) AS start, deleted {rows}"


def _united(spans: Sequence[Span], scope: Scope, rows_of: Callable[[Scope, Binds], str]) -> Statement:
    """The rows of some spans, by run id."""
    binds = Binds()
    parts = [rows_of(replace(scope, since=span.since_id, until=span.until_id), binds) for span in spans]
    if len(parts) == 1:
        return Statement(f"{parts[0]} ORDER BY run_id", binds.values, wide=spans[0] == WHOLE)
    return Statement(f"SELECT * FROM ({' UNION ALL '.join(parts)}) ORDER BY run_id", binds.values)
