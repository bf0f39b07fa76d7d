"""Which runs changed since a position: `run_touches` has them before anything else of a batch can be read.

All experiments of a namespace are asked for together, so that one statement a batch answers for every place in it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol

from fleetlog_core.log.partitions import partition_of
from fleetlog_core.warehouse.port import Statement, Warehouse

from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.binds import Binds
from fleetlog_query.warehouse.rows import rows_of

MOST = 100_000
"""Maximum of changed runs that are told one by one. Beyond it a place is asked for by itself, and then read anew."""
KEPT = 64
"""Maximum of answers that are kept."""
KEPT_RUNS = 50_000
"""Maximum of runs in all answers that are kept: 10 MB, at 200 bytes each."""

Changed = Mapping[bytes, int]
"""Runs that changed, each with a number that is another one when it changed again."""


class Place(Hashable, Protocol):
    """Anything that renders to a condition on runs: a scope, for instance."""

    @property
    def namespace(self) -> str:
        """The one namespace that it is in."""
        ...

    def sql(self, binds: Binds, /) -> str:
        """Condition on namespace, experiment and run_id."""
        ...

    def looks_in(self, experiment: int, /) -> bool:
        """True if runs of the experiment may be in it."""
        ...


@dataclass(frozen=True)
class WholeNamespace:
    """All runs of a namespace."""

    namespace: str

    def sql(self, binds: Binds) -> str:
        """See Place."""
        return f"namespace = {binds.text(self.namespace)}"

    def looks_in(self, experiment: int) -> bool:
        """See Place."""
        return True


@dataclass(frozen=True, slots=True)
class _Found:
    """Runs that a statement found: (experiment, run) with its last change's number; as of a version of the table."""

    version: int
    position: AsOf
    touched: Mapping[tuple[int, bytes], int]

    def answers(self, version: int, position: AsOf) -> bool:
        """True if all that changed since a position is in it."""
        mine, wanted = self.position.events, position.events
        return (
            self.version == version
            and len(mine) == len(wanted)
            and all(one <= other for one, other in zip(mine, wanted, strict=True))
        )


class ChangedRuns:
    """Finds what changed. What was found is kept until the next batch begins; used from many threads."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, AsOf], _Found] = OrderedDict()

    def since(self, place: Place, position: AsOf) -> Changed | None:
        """The runs of a place of which any earlier read may have seen more than what was before the position.

        None: more than `MOST`.
        """
        version = self._warehouse.version("run_touches")
        found = self._find(place.namespace, position, version)
        if found is None:
            touched = self._read(WholeNamespace(place.namespace), position)
            if touched is None:
                touched = self._read(place, position)
                return None if touched is None else {run_id: until for (_, run_id), until in touched.items()}
            found = _Found(-1 if version is None else version, position, touched)
            self._keep(place.namespace, found)
        count = len(position.events)
        return {
            run_id: until
            for (experiment, run_id), until in found.touched.items()
            if place.looks_in(experiment)
            and (found.position == position or until > position.events[partition_of(run_id, count) if count > 1 else 0])
        }

    def _find(self, namespace: str, position: AsOf, version: int | None) -> _Found | None:
        if version is None:
            return None
        with self._lock:
            found = self._kept.get((namespace, position))
            if found is not None and found.version == version:
                return found
            fitting = [
                one for (name, _), one in self._kept.items() if name == namespace and one.answers(version, position)
            ]
        return min(fitting, key=lambda one: len(one.touched), default=None)

    def _keep(self, namespace: str, found: _Found) -> None:
        with self._lock:
            self._kept.pop((namespace, found.position), None)
            self._kept[namespace, found.position] = found
            size = sum(len(one.touched) for one in self._kept.values())
            while len(self._kept) > KEPT or size > KEPT_RUNS:
                _, gone = self._kept.popitem(last=False)
                size -= len(gone.touched)

    def _read(self, place: Place, position: AsOf) -> Mapping[tuple[int, bytes], int] | None:
        binds = Binds()
        # The least bound beside the bound: an index can be asked for it.
        least = binds.whole(min(position.events))
        sql = (
            f"SELECT experiment, run_id, max(until) AS touched FROM run_touches WHERE {place.sql(binds)}"
            f" AND until > {least} AND until > {position.bound(binds)} GROUP BY experiment, run_id LIMIT {MOST + 1}"
        )
        answer = self._warehouse.select(Statement(sql, binds.values))
        if answer.rows > MOST:
            return None
        return {
            (experiment, run_id): until
            for experiment, run_id, until in rows_of(answer, "experiment", "run_id", "touched")
        }
