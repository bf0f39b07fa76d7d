"""Requests that have an outcome already, so that most batches need not ask for theirs.

The mark is a version of a model with its alias in 60 ms: a read is a tenth of it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from fleetlog_core.ids import ID_BYTES
from fleetlog_core.warehouse.port import Statement, Warehouse

from fleetlog_ingest.run_ids import AMONG_IDS

MAX_OF_NAMESPACE = 200_000
"""Maximum request ids of a namespace that are held; of one with more it is asked each time."""
MAX_HELD = 1_000_000
"""Maximum request ids of all namespaces, of 8 bytes each."""
MERGE_AT = 4_096
_HALF = ID_BYTES // 2


class RequestIds:
    """Request ids as 64 bits each: one that is not there was never seen, one that is there may have been."""

    def __init__(self, ids: Sequence[bytes]) -> None:
        self._sorted = np.sort(_folded(ids))
        self._recent: set[int] = set()

    def __len__(self) -> int:
        return len(self._sorted) + len(self._recent)

    def may_have(self, request_id: bytes) -> bool:
        """False if it was never added."""
        number = _folded([request_id])[0]
        place = int(np.searchsorted(self._sorted, number))
        return int(number) in self._recent or bool(place < len(self._sorted) and self._sorted[place] == number)

    def add(self, ids: Sequence[bytes]) -> None:
        """They were seen."""
        self._recent.update(_folded(ids).tolist())
        if len(self._recent) >= MERGE_AT:
            self._sorted = np.sort(np.concatenate([self._sorted, np.array(list(self._recent), np.uint64)]))
            self._recent = set()


def _folded(ids: Sequence[bytes]) -> npt.NDArray[np.uint64]:
    halves = np.frombuffer(b"".join(ids), np.uint64).reshape(-1, 2)
    return halves[:, 0] ^ halves[:, 1]


@dataclass(frozen=True, slots=True)
class Before:
    """Requests with an outcome before a batch, and whether outcomes of the batch itself are there."""

    decided: frozenset[bytes]
    is_begun: bool


class DecidedRequests:
    """Asks which requests have an outcome. Holds the ids of the namespaces that were used last; not thread-safe."""

    def __init__(
        self, warehouse: Warehouse, max_of_namespace: int = MAX_OF_NAMESPACE, max_held: int = MAX_HELD
    ) -> None:
        self._warehouse = warehouse
        self._max_of_namespace = max_of_namespace
        self._max_held = max_held
        self._held: OrderedDict[str, RequestIds | None] = OrderedDict()
        """None: the namespace has too many."""
        self._count = 0

    def before(self, namespace: str, ids: Iterable[bytes], first: int) -> Before:
        """Returns what was decided of these requests before offset `first` of the log."""
        wanted = list(ids)
        if namespace not in self._held:
            self._hold(namespace)
        self._held.move_to_end(namespace)
        held = self._held[namespace]
        suspects = wanted if held is None else [one for one in wanted if held.may_have(one)]
        return self._ask(namespace, suspects, first) if suspects else Before(frozenset(), is_begun=False)

    def keep(self, namespace: str, ids: Sequence[bytes]) -> None:
        """They have an outcome, of a batch that is in."""
        held = self._held.get(namespace)
        if held is None:
            return
        before = len(held)
        held.add(ids)
        self._count += len(held) - before
        if len(held) > self._max_of_namespace:
            self._held[namespace] = None
            self._count -= len(held)
        while self._count > self._max_held:
            _, gone = self._held.popitem(last=False)
            self._count -= 0 if gone is None else len(gone)

    def forget(self) -> None:
        """Others may have decided, or this one and did not come to its end."""
        self._held.clear()
        self._count = 0

    def _hold(self, namespace: str) -> None:
        sql = "SELECT request_id FROM outcomes WHERE namespace = {namespace:String} LIMIT {most:UInt64}"
        binds: dict[str, str | int] = {"namespace": namespace, "most": self._max_of_namespace + 1}
        found = self._warehouse.select(Statement(sql, binds))
        self._held[namespace] = None
        if found.rows <= self._max_of_namespace:
            held = self._held[namespace] = RequestIds([one.tobytes() for one in found.array("request_id")])
            self._count += len(held)

    def _ask(self, namespace: str, ids: Sequence[bytes], first: int) -> Before:
        sql = (
            "SELECT request_id, off FROM outcomes FINAL WHERE namespace = {namespace:String}"
            f" AND request_id {AMONG_IDS}"
        )
        rows = self._warehouse.select(Statement(sql, {"namespace": namespace, "ids": [one.hex() for one in ids]}))
        offsets = rows.array("off").tolist()
        told = zip(rows.array("request_id"), offsets, strict=True)
        decided = frozenset(one.tobytes() for one, offset in told if offset < first)
        return Before(decided, is_begun=len(decided) < len(offsets))
