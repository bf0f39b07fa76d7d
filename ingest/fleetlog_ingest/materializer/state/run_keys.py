"""The distinct metrics and tags of runs that may come to their limit.

Nearly every run is far from its limits, and its keys need not be known: for those only an upper bound is kept, what the
warehouse counted once plus all that was asked for since. When the bound passes a limit the keys are read, and from
then on they are known exactly. Whether a key is kept depends on the exact keys alone, so the log's order decides it
and nothing else.

Keys are never given back. So reading a few that the batch itself put there, before it broke off, changes nothing:
those fitted the first time, and they fit again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from fleetlog_core.limits import RunLimits
from fleetlog_core.warehouse.port import Answer, Bind, Statement, Warehouse
from fleetlog_core.warehouse.schema import KeyKind

from fleetlog_ingest.materializer.fold.decoding import Decoded
from fleetlog_ingest.materializer.fold.state import RunKey, RunKeys
from fleetlog_ingest.run_ids import AMONG_IDS, pieces

_ROWS = f"FROM run_attrs FINAL WHERE namespace = {{namespace:String}} AND run_id {AMONG_IDS}"
_COUNTS = Statement(
    f"SELECT run_id, countIf(kind = {KeyKind.METRIC}) AS metrics, countIf(kind = {KeyKind.TAG}) AS tags {_ROWS}"
    " GROUP BY run_id"
)
_KEYS = Statement(f"SELECT run_id, kind, key {_ROWS} AND kind IN ({KeyKind.METRIC}, {KeyKind.TAG})")


@dataclass(slots=True)
class _Bound:
    """At most so many keys has the run."""

    metrics: int = 0
    tags: int = 0


class RunKeyStore:
    """The keys of runs of one partition; not thread-safe."""

    def __init__(self, warehouse: Warehouse, limits: RunLimits) -> None:
        self._warehouse = warehouse
        self._limits = limits
        self._bounds: dict[RunKey, _Bound] = {}
        self._exact: dict[RunKey, RunKeys] = {}

    def load(self, records: Iterable[Decoded], known: Collection[RunKey]) -> dict[RunKey, RunKeys]:
        """The keys of those runs of the batch that may come to a limit. `known` are the runs that the warehouse has."""
        asked: defaultdict[RunKey, _Bound] = defaultdict(_Bound)
        for decoded in records:
            if decoded.frame is not None:
                more = asked[(decoded.namespace, decoded.frame.run_id)]
                more.metrics += decoded.columns
                more.tags += decoded.tags
        self._count([key for key in asked if key not in self._bounds], known)
        near = []
        for key, more in asked.items():
            bound = self._bounds[key]
            bound.metrics += more.metrics
            bound.tags += more.tags
            if key not in self._exact and (bound.metrics > self._limits.metrics or bound.tags > self._limits.tags):
                near.append(key)
        self._read(near, known)
        return {key: self._exact[key] for key in asked if key in self._exact}

    def keep(self, changes: dict[RunKey, RunKeys]) -> None:
        """The batch is in: these are the keys of its runs."""
        self._exact.update(changes)

    def drop(self, key: RunKey) -> None:
        """The run has not been spoken of for long."""
        self._bounds.pop(key, None)
        self._exact.pop(key, None)

    def forget(self) -> None:
        """Read everything anew from now on."""
        self._bounds.clear()
        self._exact.clear()

    def _count(self, keys: Sequence[RunKey], known: Collection[RunKey]) -> None:
        for key in keys:
            self._bounds[key] = _Bound()
        for namespace, rows in self._select(_COUNTS, [key for key in keys if key in known]):
            metrics, tags = rows.array("metrics").tolist(), rows.array("tags").tolist()
            for place, run_id in enumerate(rows.array("run_id")):
                self._bounds[(namespace, run_id.tobytes())] = _Bound(metrics[place], tags[place])

    def _read(self, keys: Sequence[RunKey], known: Collection[RunKey]) -> None:
        for key in keys:
            self._exact[key] = RunKeys()
        for namespace, rows in self._select(_KEYS, [key for key in keys if key in known]):
            names, kinds = rows.texts("key"), rows.array("kind").tolist()
            for place, run_id in enumerate(rows.array("run_id")):
                found = self._exact[(namespace, run_id.tobytes())]
                (found.metrics if kinds[place] == KeyKind.METRIC else found.tags).add(names[place])

    def _select(self, statement: Statement, keys: Sequence[RunKey]) -> Iterator[tuple[str, Answer]]:
        by_namespace: defaultdict[str, list[bytes]] = defaultdict(list)
        for namespace, run_id in keys:
            by_namespace[namespace].append(run_id)
        for namespace, run_ids in by_namespace.items():
            for piece in pieces(run_ids):
                binds: dict[str, Bind] = {"namespace": namespace, "ids": piece}
                yield namespace, self._warehouse.select(Statement(statement.sql, binds))
