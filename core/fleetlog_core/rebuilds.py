"""Rebuilds: rows are served when the log was folded as far as it went when a loss was noticed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from fleetlog_core.applied import APPLIED, offsets_of
from fleetlog_core.log.port import Partition
from fleetlog_core.warehouse.checkpoints import tables_of
from fleetlog_core.warehouse.port import (
    Answer,
    Coded,
    Column,
    Statement,
    Warehouse,
    WarehouseUnavailable,
)
from fleetlog_core.warehouse.wrapped import WrappedWarehouse

LOOK_SECONDS = 0.2
_TARGETS = Statement("SELECT topic, part, max(next_offset) AS upto FROM rebuilds GROUP BY topic, part")


class NotWhole(WarehouseUnavailable):
    """The tables lack rows that they had, and are being rebuilt from the log. Its text is for clients too."""


def begin_rebuild(warehouse: Warehouse, until: Mapping[Partition, int]) -> None:
    """Note that the empty warehouse is whole when everything before the next offsets `until` is in."""
    topics: Sequence[str] = sorted({partition.topic for partition in until})
    codes = [topics.index(partition.topic) for partition in until]
    rows: dict[str, Column] = {
        "topic": Coded(np.array(codes, np.uint32), topics),
        "part": np.array([partition.number for partition in until], np.uint16),
        "next_offset": np.array(list(until.values()), np.uint64),
    }
    token = ",".join(f"{partition}:{offset}" for partition, offset in sorted(until.items()))
    warehouse.insert("rebuilds", rows, f"rebuild:{token}")


def rebuild_targets(warehouse: Warehouse) -> dict[Partition, int]:
    """The next offsets that a rebuild has to reach; empty when none was begun. For a warehouse with tables."""
    return offsets_of(warehouse.select(_TARGETS))


def rebuilding(warehouse: Warehouse) -> str:
    """How far the rebuild is, in words; empty when there is none or it is done. WarehouseUnavailable, TimedOut."""
    if not {"rebuilds", "applied"} <= tables_of(warehouse):
        return ""
    targets = rebuild_targets(warehouse)
    applied = offsets_of(warehouse.select(APPLIED)) if targets else {}
    done = sum(min(applied.get(partition, 0), target) for partition, target in targets.items())
    total = sum(targets.values())
    if done == total:
        return ""
    return (
        f"the tables are being rebuilt from the log: {done:,} of {total:,} records are in; nothing is lost, try again"
    )


class WholeWarehouse(WrappedWarehouse):
    """See Warehouse: the one that it is given, for reads. NotWhole as long as `look` says why rows are not whole.

    Once it said nothing it is asked again by `look_again` alone.
    """

    def __init__(
        self, warehouse: Warehouse, look: Callable[[Warehouse], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(warehouse)
        self._look = look
        self._clock = clock
        self._lock = threading.Lock()
        self._whole = False
        self._complaint = ""
        self._next_look = clock()

    def select(self, statement: Statement, *, timeout_seconds: float = 30.0) -> Answer:
        """See Warehouse. NotWhole."""
        if not self._whole:
            self._must_be_whole()
        return self._warehouse.select(statement, timeout_seconds=timeout_seconds)

    def look_again(self) -> str:
        """Why rows are not whole by now; empty when they are. WarehouseUnavailable, TimedOut."""
        complaint = self._look(self._warehouse)
        with self._lock:
            self._complaint, self._whole = complaint, not complaint
        return complaint

    def _must_be_whole(self) -> None:
        with self._lock:
            if not self._whole and self._clock() >= self._next_look:
                self._complaint = self._look(self._warehouse)
                self._whole = not self._complaint
                self._next_look = self._clock() + LOOK_SECONDS
        if not self._whole:
            raise NotWhole(self._complaint)
