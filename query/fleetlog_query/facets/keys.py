"""The keys of runs, counted exactly and quickly: segments of runs are counted once and again only when they changed.

Runs of a fleet are mostly old and at rest. `run_changes` says which stretches of run ids changed since they were
counted; it follows the last table of each batch, so what it says is always behind what the count sees: a count
may be repeated for nothing, but is never kept when it is out of date. The first question counts everything.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from fleetlog_core.datasets import DATASET_KIND
from fleetlog_core.ids import SLOT_BITS
from fleetlog_core.warehouse.port import Answer, Statement, TimedOut, Warehouse

from fleetlog_query.binds import Binds
from fleetlog_query.facets.segments import (
    NOTHING,
    WHOLE,
    KeyCounts,
    Segment,
    Span,
    changes_of,
    split,
    total,
)
from fleetlog_query.filter.plan import Plan
from fleetlog_query.scope import Scope, shown_sql
from fleetlog_query.statement import condition

SEGMENT_RUNS = 4_096
KEPT_SCOPES = 64
_NEVER = -1
THREADS = min(4, os.cpu_count() or 1)
_COUNTED = (
    "kind, key, count() AS runs, countIf(NOT isNaN(num)) AS numeric,"
    " minIf(num, NOT isNaN(num)) AS low, maxIf(num, NOT isNaN(num)) AS high"
)
_SINGLE = f"kind != {DATASET_KIND}"
"""What a run has one value of by key."""
_SLOT = f"bitShiftRight(reinterpretAsUInt64(reverse(substring(run_id, 1, 6))), {SLOT_BITS})"


@dataclass(frozen=True, slots=True)
class KeyFacet:
    """A key, how many runs have it, how many of them as a number, and which; kind as in `attrs`."""

    kind: int
    key: str
    runs: int
    numeric: int
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Homes:
    """Which experiments: some, or (`inside` is False) all but some. All but some stays the same when new ones come."""

    namespace: str
    experiments: tuple[int, ...]
    inside: bool = True

    def sql(self, span: Span, binds: Binds) -> str:
        """The runs of them in a span, as a condition on `runs`."""
        clauses = [f"namespace = {binds.text(self.namespace)}"]
        if self.inside or self.experiments:
            clauses.append(f"experiment {'IN' if self.inside else 'NOT IN'} {binds.numbers(self.experiments)}")
        return " AND ".join([*clauses, *_ids(span, binds)])


@dataclass
class _Kept:
    """What is known of one scope. Keys are numbered in the order in which they were met."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    segments: list[Segment] = field(default_factory=list)
    names: list[tuple[int, str]] = field(default_factory=list)
    numbers: dict[tuple[int, str], int] = field(default_factory=dict)

    def counts(self, answer: Answer) -> KeyCounts:
        """Rows of _COUNTED."""
        names = list(zip(answer.array("kind").tolist(), answer.texts("key"), strict=True))
        for name in names:
            if name not in self.numbers:
                self.numbers[name] = len(self.names)
                self.names.append(name)
        keys = np.array([self.numbers[name] for name in names], np.intp)
        numeric = answer.array("numeric").astype(np.uint64)
        lows, highs = answer.array("low").astype(np.float64), answer.array("high").astype(np.float64)
        lows, highs = np.where(numeric > 0, lows, np.inf), np.where(numeric > 0, highs, -np.inf)
        return KeyCounts(keys, answer.array("runs").astype(np.uint64), numeric, lows, highs)

    def facets(self, counts: KeyCounts) -> list[KeyFacet]:
        """By kind, then key."""
        names = [self.names[number] for number in counts.keys.tolist()]
        columns = (counts.runs, counts.numeric, counts.lows, counts.highs)
        found = [
            KeyFacet(kind, key, runs, numeric, low if numeric else None, high if numeric else None)
            for (kind, key), runs, numeric, low, high in zip(
                names, *[column.tolist() for column in columns], strict=True
            )
        ]
        return sorted(found, key=lambda facet: (facet.kind, facet.key))


class Keys:
    """Counts keys. Thread-safe; what was counted is kept for the scopes asked for last."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Homes, int], _Kept] = OrderedDict()
        self._executor = ThreadPoolExecutor(THREADS, "facets")

    def close(self) -> None:
        """Let the threads go."""
        self._executor.shutdown()

    def all(self, homes: Homes, deleted_view: int, timeout_seconds: float) -> list[KeyFacet]:
        """Of all runs, by kind, then key. TimedOut: what was counted by then is kept, the next call goes on."""
        until = time.monotonic() + timeout_seconds
        kept = self._of(homes, deleted_view)
        if not kept.lock.acquire(timeout=timeout_seconds):
            raise TimedOut("another question counts the same runs")
        try:
            self._refresh(kept, homes, deleted_view, until)
            return kept.facets(total([segment.counts for segment in kept.segments]))
        finally:
            kept.lock.release()

    def matching(self, scope: Scope, plan: Plan, deleted_view: int, timeout_seconds: float) -> list[KeyFacet]:
        """Of the runs that match, by kind, then key. TimedOut."""
        kept, statement = _Kept(), matching_statement(scope, plan, deleted_view)
        answer = self._warehouse.select(statement, timeout_seconds=timeout_seconds)
        return kept.facets(kept.counts(answer))

    def _of(self, homes: Homes, deleted_view: int) -> _Kept:
        with self._lock:
            kept = self._kept.setdefault((homes, deleted_view), _Kept())
            self._kept.move_to_end((homes, deleted_view))
            while len(self._kept) > KEPT_SCOPES:
                self._kept.popitem(last=False)
            return kept

    def _refresh(self, kept: _Kept, homes: Homes, deleted_view: int, until: float) -> None:
        # Read before anything is counted: a change in between is counted, and found to be a change once more.
        binds = Binds()
        sql = f"SELECT slot, sum(changes) AS c FROM run_changes WHERE namespace = {binds.text(homes.namespace)}"
        statement = Statement(f"{sql} GROUP BY slot ORDER BY slot", binds.values)
        answer = self._warehouse.select(statement, timeout_seconds=_left(until))
        slots, changes = answer.array("slot").astype(np.uint64), answer.array("c").astype(np.uint64)
        known = {segment.span: segment for segment in kept.segments}
        before = list(known) or [WHOLE]
        spans: list[Span] = []
        for span, sum_of in zip(before, changes_of(before, slots, changes), strict=True):
            segment = known.get(span)
            if segment is None or (segment.changes != sum_of and segment.at_least > 2 * SEGMENT_RUNS):
                spans += self._split(span, homes, until)
            else:
                spans.append(span)
        counting: dict[Span, Future[Segment]] = {}
        for span, sum_of in zip(spans, changes_of(spans, slots, changes), strict=True):
            if span not in known or known[span].changes != sum_of:
                counting[span] = self._executor.submit(self._count, kept, homes, span, deleted_view, sum_of, until)
        failed: Exception | None = None
        for span, future in counting.items():
            try:
                known[span] = future.result()
            except Exception as error:
                # The others are kept: the next call goes on.
                failed = failed or error
                known[span] = Segment(span, _NEVER, NOTHING)
        kept.segments = [known[span] for span in spans]
        if failed is not None:
            raise failed

    def _split(self, span: Span, homes: Homes, until: float) -> list[Span]:
        binds = Binds()
        sql = f"SELECT {_SLOT} AS slot, count() AS runs FROM runs WHERE {homes.sql(span, binds)}"
        statement = Statement(f"{sql} GROUP BY slot ORDER BY slot", binds.values, wide=True)
        answer = self._warehouse.select(statement, timeout_seconds=_left(until))
        slots, runs = answer.array("slot").astype(np.uint64), answer.array("runs").astype(np.uint64)
        return split(span, slots, runs, SEGMENT_RUNS)

    def _count(self, kept: _Kept, homes: Homes, span: Span, deleted_view: int, changes: int, until: float) -> Segment:
        statement = segment_statement(homes, span, deleted_view)
        answer = self._warehouse.select(statement, timeout_seconds=_left(until))
        with self._lock:
            return Segment(span, changes, kept.counts(answer))


def segment_statement(homes: Homes, span: Span, deleted_view: int) -> Statement:
    """All keys of the runs of a span."""
    binds = Binds()
    ids = " AND ".join([f"namespace = {binds.text(homes.namespace)}", *_ids(span, binds)])
    runs = f"SELECT run_id FROM runs FINAL WHERE {homes.sql(span, binds)}{shown_sql(deleted_view)}"
    where = f"{ids} AND removed = 0 AND {_SINGLE} AND run_id IN ({runs})"
    sql = f"SELECT {_COUNTED} FROM run_attrs FINAL WHERE {where} GROUP BY kind, key"
    return Statement(sql, binds.values)


def matching_statement(scope: Scope, plan: Plan, deleted_view: int) -> Statement:
    """All keys of the runs that match: their ids first, then their rows."""
    binds = Binds()
    runs = f"SELECT run_id FROM runs FINAL WHERE {scope.sql(binds)}{shown_sql(deleted_view)}"
    runs += f" AND {condition(plan, scope, binds)}"
    where = f"namespace = {binds.text(scope.namespace)} AND removed = 0 AND {_SINGLE} AND run_id IN ({runs})"
    sql = f"SELECT {_COUNTED} FROM run_attrs FINAL WHERE {where} GROUP BY kind, key"
    return Statement(sql, binds.values, wide=True)


def _ids(span: Span, binds: Binds) -> list[str]:
    """A span as conditions on run ids."""
    since = [f"run_id >= {binds.run_id(span.since_id)}"] if span.since_id else []
    return since + ([f"run_id < {binds.run_id(span.until_id)}"] if span.until_id else [])


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimedOut("counting keys")
    return left


def page_of(facets: Sequence[KeyFacet], after: tuple[int, str] | None, kind: int, contains: str) -> list[KeyFacet]:
    """The facets behind one, of a kind (0 = all) and with a text in their key, in any case."""
    wanted = contains.casefold()
    return [
        facet
        for facet in facets
        if (not kind or facet.kind == kind)
        and wanted in facet.key.casefold()
        and (after is None or (facet.kind, facet.key) > after)
    ]
