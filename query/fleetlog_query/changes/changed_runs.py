"""Which runs changed since a position: `run_touches` has them before anything else of a batch can be read."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Protocol

from fleetlog_core.ids import ID_BYTES
from fleetlog_core.warehouse.port import Statement, Warehouse

from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.binds import Binds

MOST = 10_000
"""Runs that changed since a page. To look up more of them costs more than to look at all runs as they were."""
KEPT = 256

Touched = Mapping[bytes, int]
"""Runs that changed, each with a number that is another one when it changed again."""


class Place(Hashable, Protocol):
    """Where runs are: a scope, for instance."""

    def sql(self, binds: Binds, /) -> str:
        """As a condition on namespace, experiment and run_id."""
        ...


class Touches:
    """Finds what changed. What was found is kept until the next batch begins; used from many threads."""

    def __init__(self, warehouse: Warehouse, most: int | None = None, kept: int = KEPT) -> None:
        self._warehouse = warehouse
        self._most = MOST if most is None else most
        self._kept = kept
        self._lock = threading.Lock()
        self._found: OrderedDict[tuple[Place, AsOf], tuple[int | None, Touched | None]] = OrderedDict()

    def since(self, place: Place, pin: AsOf, timeout_seconds: float) -> Touched | None:
        """The runs of a place of which any earlier read may have seen more than what was before the position.

        None: more than `most`.
        """
        version = self._warehouse.version("run_touches")
        with self._lock:
            found = self._found.get((place, pin))
        if found is not None and version is not None and found[0] == version:
            return found[1]
        touched = self._read(place, pin, timeout_seconds)
        with self._lock:
            self._found[place, pin] = version, touched
            self._found.move_to_end((place, pin))
            while len(self._found) > self._kept:
                self._found.popitem(last=False)
        return touched

    def known(self, place: Place, pin: AsOf) -> int:
        """How many of them there were when somebody looked last."""
        with self._lock:
            found = self._found.get((place, pin))
        return 0 if found is None else self._most if found[1] is None else len(found[1])

    def _read(self, place: Place, pin: AsOf, timeout_seconds: float) -> Touched | None:
        binds = Binds()
        # The least bound beside the bound: an index can be asked for it.
        least = binds.whole(min(pin.events))
        sql = (
            f"SELECT run_id, max(until) AS touched FROM run_touches WHERE {place.sql(binds)} AND until > {least}"
            f" AND until > {pin.bound(binds)} GROUP BY run_id LIMIT {self._most + 1}"
        )
        answer = self._warehouse.select(Statement(sql, binds.values), timeout_seconds=timeout_seconds)
        if answer.rows > self._most:
            return None
        if not answer.rows:
            return {}
        data = answer.array("run_id").tobytes()
        ids = (data[place : place + ID_BYTES] for place in range(0, len(data), ID_BYTES))
        return dict(zip(ids, answer.array("touched").tolist(), strict=True))
