"""Params and tags of a batch as columns of `attrs`, gathered event by event."""

from __future__ import annotations

import numpy as np
from fleetlog_core.warehouse.port import Coded

from fleetlog_ingest.materializer.fold.params import Values
from fleetlog_ingest.materializer.fold.table_schemas import coded, fixed16
from fleetlog_ingest.materializer.fold.tables import Columns


class AttrSink:
    """Takes the params or tags of one event after another. What a run has in common is kept once an event.

    A key that is written twice is two rows: the warehouse keeps the one with the higher `ver`.
    """

    def __init__(self) -> None:
        # An entry for each event:
        self._namespaces: list[str] = []
        self._run_ids: list[bytes] = []
        self._facts: list[tuple[int, int, bool, int, int]] = []
        # An entry for each row:
        self._keys: list[str] = []
        self._texts: list[str] = []
        self._numbers: list[float] = []
        self._types: list[int] = []

    def add(
        self,
        namespace: str,
        run_id: bytes,
        experiment: int,
        kind: int,
        ver: int,
        values: Values,
        *,
        removed: bool = False,
    ) -> None:
        """Params or tags of one run. `ver` is the first one's, each next has one more."""
        if not values.keys:
            return
        self._namespaces.append(namespace)
        self._run_ids.append(run_id)
        self._facts.append((experiment, kind, removed, ver, len(values.keys)))
        self._keys += values.keys
        self._texts += values.texts
        self._numbers += values.numbers
        self._types += values.types

    def finish(self) -> Columns | None:
        """Everything that was taken, in its order; None when that is nothing."""
        if not self._keys:
            return None
        facts = np.array(self._facts, dtype=np.int64)
        counts = facts[:, 4]
        event = np.repeat(np.arange(len(counts)), counts)
        starts = np.cumsum(counts) - counts
        versions = np.zeros((len(event), 4), dtype="<u8")
        versions[:, 0] = facts[event, 3] + (np.arange(len(event)) - starts[event])
        namespaces = coded(self._namespaces)
        run_ids = np.asarray(fixed16(self._run_ids))
        return {
            "namespace": Coded(namespaces.codes[event], namespaces.texts),
            "experiment": facts[event, 0].astype(np.uint32),
            "kind": facts[event, 1].astype(np.uint8),
            "key": coded(self._keys),
            "run_id": run_ids[event],
            "num": np.array(self._numbers, dtype=np.float64),
            "str": self._texts,
            "type": np.array(self._types, dtype=np.uint8),
            "removed": facts[event, 2].astype(np.uint8),
            "ver": versions.reshape(-1).view("V32"),
        }
