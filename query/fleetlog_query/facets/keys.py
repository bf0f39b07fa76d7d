"""The keys of runs, counted exactly and quickly: segments of runs are counted once, and again only when they changed.

Runs of a fleet are mostly old and at rest. The first question counts everything.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from fleetlog_core.warehouse.port import Answer, Statement, TimedOut, Warehouse
from fleetlog_core.warehouse.schema import KeyKind

from fleetlog_query.changes.changed_runs import ChangedRuns
from fleetlog_query.changes.feed import ChangeFeed
from fleetlog_query.changes.held import Held
from fleetlog_query.changes.position import AppliedPositions
from fleetlog_query.facets.counts import Counts
from fleetlog_query.facets.segments import SLOT_BITS, WHOLE, KeyCounts, Span, split
from fleetlog_query.language.fields import Kind
from fleetlog_query.language.plan import Plan
from fleetlog_query.sql.as_of import BY_KEY, AsOf, attr_rows
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.condition_sql import condition
from fleetlog_query.sql.deleted_view import DeletedView
from fleetlog_query.sql.scope import Scope
from fleetlog_query.warehouse.cancellable import seconds_left

SEGMENT_RUNS = 4_096
NAME_BYTES = 200
"""Bytes of a key that was met, about."""
THREADS = min(4, os.cpu_count() or 1)
_COUNTED = (
    "kind, key, count() AS runs, countIf(NOT isNaN(num)) AS numeric,"
    " minIf(num, NOT isNaN(num)) + 0. AS low, maxIf(num, NOT isNaN(num)) + 0. AS high"
)
"""+ 0. makes one zero of two: which of them a minimum is would depend on the order of rows."""
_SINGLE = f"kind NOT IN ({KeyKind.DATASET}, {KeyKind.MODEL})"
"""Condition on kinds of which a run has one value by key."""
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
    """Runs of some experiments, or (`inside` is False) of all but some: that stays the same when new ones come."""

    namespace: str
    experiments: tuple[int, ...]
    inside: bool
    deleted_view: int

    def sql(self, binds: Binds, span: Span = WHOLE) -> str:
        """The runs of them in a span, as a condition on tables that have the experiment."""
        clauses = [f"namespace = {binds.text(self.namespace)}"]
        if self.inside or self.experiments:
            clauses.append(f"experiment {'IN' if self.inside else 'NOT IN'} {binds.numbers(self.experiments)}")
        return " AND ".join([*clauses, *_ids(span, binds)])

    def looks_in(self, experiment: int) -> bool:
        """True if runs of an experiment may be in it."""
        return (experiment in self.experiments) is self.inside


@dataclass
class CountedKeys:
    """Counts of one place. Keys are numbered in the order in which they were met."""

    changes: ChangeFeed | None = None
    known: Counts = field(default_factory=Counts)
    generation: int = 0
    names: list[tuple[int, str]] = field(default_factory=list)
    numbers: dict[tuple[int, str], int] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Bytes of memory that it takes, about."""
        return NAME_BYTES * len(self.names) + self.known.size_bytes

    def let_go(self, size_bytes: int) -> None:
        """See Derived: what is counted holds together, so nothing goes."""

    def change(self) -> None:
        """Find out what is to be counted again."""
        if self.changes is not None:
            self.known.change(self.changes.since(self.generation))
            self.generation = self.changes.generation
            self.changes.forget()

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
        """Facets by kind, then key."""
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
    """Counts keys. Thread-safe; what was counted is held for the places asked for last."""

    def __init__(
        self, warehouse: Warehouse, positions: AppliedPositions, changed_runs: ChangedRuns, held_bytes: int
    ) -> None:
        self._warehouse = warehouse
        self._lock = threading.Lock()
        """Held while a key gets its number."""
        self._held: Held[Homes, CountedKeys] = Held(
            lambda _, changes: CountedKeys(changes), positions, changed_runs, held_bytes
        )
        self._executor = ThreadPoolExecutor(THREADS, "facets")

    def close(self) -> None:
        """Let the threads go."""
        self._executor.shutdown()

    def all(self, homes: Homes) -> list[KeyFacet]:
        """Keys of all runs, by kind, then key. TimedOut: what was counted by then is kept, the next call goes on."""
        until = time.monotonic() + seconds_left()
        with self._held.of(homes) as counted:
            counted.change()
            self._refresh(counted, homes, until)
            return counted.facets(counted.known.total())

    def matching(self, scope: Scope, plan: Plan, deleted_view: int) -> list[KeyFacet]:
        """Keys of the runs that match, by kind, then key. TimedOut."""
        counted = CountedKeys()
        return counted.facets(counted.counts(self._warehouse.select(matching_statement(scope, plan, deleted_view))))

    def past(
        self, scope: Scope, as_of: AsOf, plan: Plan | None, deleted_view: int, kinds: Iterable[Kind]
    ) -> list[KeyFacet]:
        """Keys of these kinds that runs had as of a position, by kind, then key. TimedOut, READS_TOO_MUCH."""
        counted, statement = CountedKeys(), past_statement(scope, as_of, plan, deleted_view, kinds)
        return counted.facets(counted.counts(self._warehouse.select(statement)))

    def _refresh(self, counted: CountedKeys, homes: Homes, until: float) -> None:
        """Count what has to be. When something of it fails the rest is kept, and the next call goes on."""
        known = counted.known
        for segment in list(known.segments):
            if segment.stale and (segment.span == WHOLE or segment.at_least > 2 * SEGMENT_RUNS):
                known.cut(segment.span, self._split(segment.span, homes, until))
        counting: dict[Span | None, Future[KeyCounts]] = {}
        if known.hot_counts is None:
            statement = hot_statement(homes, list(known.hot_runs))
            counting[None] = self._executor.submit(self._count, counted, statement, until)
        for span in [segment.span for segment in known.segments if segment.stale]:
            statement = segment_statement(homes, span, known.hot_in(span))
            counting[span] = self._executor.submit(self._count, counted, statement, until)
        failed: Exception | None = None
        for span_counted, future in counting.items():
            try:
                counts = future.result()
            except Exception as error:
                failed = failed or error
                continue
            if span_counted is None:
                known.hot_counts = counts
            else:
                known.count(span_counted, counts)
        if failed is not None:
            raise failed

    def _split(self, span: Span, homes: Homes, until: float) -> list[Span]:
        binds = Binds()
        sql = f"SELECT {_SLOT} AS slot, count() AS runs FROM runs WHERE {homes.sql(binds, span)}"
        statement = Statement(f"{sql} GROUP BY slot ORDER BY slot", binds.values, wide=True)
        answer = self._warehouse.select(statement, timeout_seconds=_left(until))
        slots, runs = answer.array("slot").astype(np.uint64), answer.array("runs").astype(np.uint64)
        return split(span, slots, runs, SEGMENT_RUNS)

    def _count(self, counted: CountedKeys, statement: Statement, until: float) -> KeyCounts:
        answer = self._warehouse.select(statement, timeout_seconds=_left(until))
        with self._lock:
            return counted.counts(answer)


def segment_statement(homes: Homes, span: Span, without: Sequence[bytes]) -> Statement:
    """All keys of the runs of a span, but of some."""
    binds = Binds()
    ids = " AND ".join([f"namespace = {binds.text(homes.namespace)}", *_ids(span, binds)])
    shown = f"{homes.sql(binds, span)}{DeletedView.of(homes.deleted_view).sql}"
    if without:
        shown += f" AND run_id NOT IN {binds.run_ids(without)}"
    return _counting(ids, shown, binds)


def hot_statement(homes: Homes, run_ids: Sequence[bytes]) -> Statement:
    """All keys of these runs."""
    binds = Binds()
    among = f"run_id IN {binds.run_ids(run_ids)}"
    ids = f"namespace = {binds.text(homes.namespace)} AND {among}"
    return _counting(ids, f"{homes.sql(binds)} AND {among}{DeletedView.of(homes.deleted_view).sql}", binds)


def _counting(ids: str, shown: str, binds: Binds) -> Statement:
    where = f"{ids} AND removed = 0 AND {_SINGLE} AND run_id IN (SELECT run_id FROM runs FINAL WHERE {shown})"
    return Statement(f"SELECT {_COUNTED} FROM run_attrs FINAL WHERE {where} GROUP BY kind, key", binds.values)


def matching_statement(scope: Scope, plan: Plan, deleted_view: int) -> Statement:
    """All keys of the runs that match: their ids first, then their rows."""
    binds = Binds()
    runs = f"SELECT run_id FROM runs FINAL WHERE {scope.sql(binds)}{DeletedView.of(deleted_view).sql}"
    runs += f" AND {condition(plan, scope, binds)}"
    where = f"namespace = {binds.text(scope.namespace)} AND removed = 0 AND {_SINGLE} AND run_id IN ({runs})"
    sql = f"SELECT {_COUNTED} FROM run_attrs FINAL WHERE {where} GROUP BY kind, key"
    return binds.statement(sql, wide=True)


def past_statement(scope: Scope, as_of: AsOf, plan: Plan | None, deleted_view: int, kinds: Iterable[Kind]) -> Statement:
    """Keys of some kinds that runs had as of the scope's position, with the values of then."""
    binds = Binds()
    runs = f"SELECT run_id FROM {scope.runs(binds)} WHERE {scope.sql(binds)}{DeletedView.of(deleted_view).sql}"
    if plan is not None:
        runs += f" AND {condition(plan, scope, binds)}"
    # Of these alone: points of series that went on are read, and those of runs that came later would be in vain.
    where = f"{scope.sql(binds)} AND run_id IN ({runs})"
    rows = attr_rows(BY_KEY, where, scope.point_tables, dict.fromkeys(kinds, "1"), as_of, binds)
    sql = f"SELECT {_COUNTED} FROM ({rows}) GROUP BY kind, key"
    return binds.statement(sql, wide=True)


def _ids(span: Span, binds: Binds) -> list[str]:
    """A span as conditions on run ids."""
    since = [f"run_id >= {binds.run_id(span.since_id)}"] if span.since_id else []
    return since + ([f"run_id < {binds.run_id(span.until_id)}"] if span.until_id else [])


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimedOut("counting keys")
    return left


def page_of(facets: Sequence[KeyFacet], after: Sequence[Any], kind: int, contains: str) -> list[KeyFacet]:
    """Facets behind a kind and key, [] = all; of a kind, 0 = all, with a text in their key in any case."""
    wanted = contains.casefold()
    return [
        facet
        for facet in facets
        if (not kind or facet.kind == kind) and wanted in facet.key.casefold() and [facet.kind, facet.key] > list(after)
    ]
