"""The foremost numbers of all runs, of columns that are held.

To find them in the tables reads a number of every run, on every core. Who asks for a key a second time is likely to
ask for it again: then its column is read, while nobody waits for it, and stays as it was at a position of the log.
`run_touches` says which runs changed since, and theirs are read anew for each question. When these are many, the tables
are asked, and the column is read again.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from fleetlog_core.serving.traces import ContextThreads
from fleetlog_core.warehouse.port import Statement, TimedOut, Warehouse, WarehouseRefused, WarehouseUnavailable

from fleetlog_query.as_of import AsOf
from fleetlog_query.binds import Binds
from fleetlog_query.filter.values import Key, Series
from fleetlog_query.leading_column import LeadingColumn
from fleetlog_query.pins import Pins
from fleetlog_query.scope import Scope
from fleetlog_query.selection.meet import Ids
from fleetlog_query.touches import Touches
from fleetlog_query.value_rows import value_rows

ASKED_BEFORE = 2
"""So often is a key asked for until its column is read."""
MOST_ANEW = 1_000
"""So many runs are read anew for one question."""
PAUSE_SECONDS = 30.0
"""Between two times that a column is read; twice as long each time that it had answered fewer than WORTH questions."""
LONGEST_PAUSE_SECONDS = 3_600.0
WORTH = 10
LOAD_SECONDS = 60.0
HELD_BYTES = 256 << 20
"""Of all columns; 1,000,000 runs take 16 MB, and each column of them 8."""
KEPT_NAMES = 1_000

Source = Key | Series
Name = tuple[Scope, Source]
Numbers = dict[bytes, float]


@dataclass
class _Asking:
    """What is known of a key: how often it was asked for, when its column was read, and what that was worth."""

    count: int = 0
    read_at: float = -math.inf
    pause_seconds: float = PAUSE_SECONDS
    answered: int = 0

    def is_due(self, now: float) -> bool:
        """Whether the column is to be read; then it counts as read."""
        if self.count < ASKED_BEFORE or now - self.read_at < self.pause_seconds:
            return False
        worth = self.read_at == -math.inf or self.answered >= WORTH
        self.pause_seconds = PAUSE_SECONDS if worth else min(2 * self.pause_seconds, LONGEST_PAUSE_SECONDS)
        self.read_at, self.answered = now, 0
        return True


class Leading:
    """Finds them. Used from many threads."""

    def __init__(
        self, warehouse: Warehouse, pins: Pins, touches: Touches,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._warehouse = warehouse
        self._pins = pins
        self._touches = touches
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: OrderedDict[Name, _Asking] = OrderedDict()
        self._columns: OrderedDict[Name, tuple[AsOf, LeadingColumn]] = OrderedDict()
        self._loading = ContextThreads(1, "columns")

    def close(self) -> None:
        """Let the thread go."""
        self._loading.shutdown(cancel_futures=True)

    def foremost(
        self, scope: Scope, source: Source, count: int, *, descending: bool, bound: float | None,
        timeout_seconds: float,
    ) -> Numbers | None:  # fmt: skip
        """The `count` foremost numbers by run, in order; with `bound`, none before it. Fewer: there are no more.

        Of runs that are not deleted; those that changed lately may be. None: the tables are to be asked. TimedOut.
        """
        if self._warehouse.version("run_touches") is None:
            # Where others insert too, what changed is asked for each time: that takes as long as what it would save.
            return None
        with self._lock:
            pin, column = self._columns.get((scope, source), (None, None))
            if column is not None:
                self._columns.move_to_end((scope, source))
        touched: Mapping[bytes, int] | None = None
        if pin is not None and _is_behind(pin, self._pins.now(timeout_seconds)):
            touched = self._touches.since(scope, pin, timeout_seconds)
        if column is None or touched is None or len(touched) > MOST_ANEW:
            self._ask(scope, source)
            return None
        with self._lock:
            self._asking(scope, source).answered += 1
        sign = -1.0 if descending else 1.0
        found = column.foremost(count + len(touched), descending=descending, bound=bound)
        numbers = {run_id: number for run_id, number in found.items() if run_id not in touched}
        if touched:
            anew = self._anew(replace(scope, run_ids=tuple(touched)), source, timeout_seconds)
            numbers |= {
                run_id: number for run_id, number in anew.items() if bound is None or number * sign >= bound * sign
            }
        order = sorted(numbers, key=lambda run_id: numbers[run_id] * sign)
        return {run_id: numbers[run_id] for run_id in order[:count]}

    def _anew(self, scope: Scope, source: Source, timeout_seconds: float) -> Numbers:
        binds = Binds()
        sql = f"SELECT run_id, v FROM ({value_rows(source, scope, binds)}) WHERE NOT isNaN(v)"
        answer = self._warehouse.select(Statement(sql, binds.values), timeout_seconds=timeout_seconds)
        ids = (one.tobytes() for one in answer.array("run_id"))
        return dict(zip(ids, answer.array("v").tolist(), strict=True))

    def _ask(self, scope: Scope, source: Source) -> None:
        """Have the column read, when it was asked for before."""
        with self._lock:
            asking = self._asking(scope, source)
            asking.count += 1
            is_due = asking.is_due(self._clock())
        if is_due:
            self._loading.submit(self._load, scope, source)

    def _asking(self, scope: Scope, source: Source) -> _Asking:
        asking = self._asked.setdefault((scope, source), _Asking())
        self._asked.move_to_end((scope, source))
        while len(self._asked) > KEPT_NAMES:
            self._asked.popitem(last=False)
        return asking

    def _load(self, scope: Scope, source: Source) -> None:
        binds = Binds()
        where = scope.sql(binds)
        # In the order of ids, so that columns of the same runs can share them. One core: the other is for who waits.
        sql = (
            f"SELECT run_id, v FROM ({value_rows(source, scope, binds)}) WHERE NOT isNaN(v)"
            f" AND run_id NOT IN (SELECT run_id FROM runs FINAL WHERE {where} AND deleted = 1) ORDER BY run_id"
        )
        try:
            # Before the column: what changes while it is read is read anew.
            pin = self._pins.now(LOAD_SECONDS)
            answer = self._warehouse.select(Statement(sql, binds.values), timeout_seconds=LOAD_SECONDS)
        except (TimedOut, WarehouseUnavailable, WarehouseRefused):
            # Nobody waits for it; whoever asks asks the tables.
            return
        column = LeadingColumn(self._shared(Ids.of(answer)), answer.array("v"))
        for descending in (False, True):
            # While nobody waits.
            column.foremost(1, descending=descending, bound=None)
        with self._lock:
            self._columns[scope, source] = pin, column
            while len(self._columns) > 1 and self._size_bytes() > HELD_BYTES:
                self._columns.popitem(last=False)

    def _shared(self, ids: Ids) -> Ids:
        """The same ids of another column, if there are such."""
        with self._lock:
            columns = [column for _, column in self._columns.values()]
        for column in columns:
            if len(column.ids) == len(ids) and column.ids.raw.tobytes() == ids.raw.tobytes():
                return column.ids
        return ids

    def _size_bytes(self) -> int:
        columns = [column for _, column in self._columns.values()]
        ids = {id(column.ids): column.ids.raw.nbytes for column in columns}
        return sum(ids.values()) + sum(column.size_bytes for column in columns)


def _is_behind(pin: AsOf, now: AsOf) -> bool:
    """Whether the tables hold all that they held then."""
    return len(pin.events) == len(now.events) and all(
        then <= here for then, here in zip(pin.events, now.events, strict=True)
    )
