"""Where the warehouse stands: the position that pages of a search are as of."""

from __future__ import annotations

from fleetlog_core.applied import APPLIED, offsets_of
from fleetlog_core.log.port import CONTROL, EVENTS, Partition
from fleetlog_core.warehouse.port import Statement, Warehouse

from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.warehouse.versioned_cache import VersionedCache

_COUNT = Statement(
    f"SELECT max(partitions) AS count FROM log_times WHERE topic = '{EVENTS}' AND span = 3600000", wide=False
)


class AppliedPositions:
    """Reads positions. Used from many threads."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._kept: VersionedCache[str, AsOf] = VersionedCache(warehouse, "applied")
        self._count = 0

    def now(self) -> AsOf:
        """A position that every later read sees all before."""
        return self._kept.get("", lambda: self._read())

    def _read(self) -> AsOf:
        found = offsets_of(self._warehouse.select(APPLIED))
        least = max((one.number + 1 for one in found if one.topic == EVENTS), default=1)
        if self._count < least:
            # In this order: what is applied has its times before it is applied.
            counted = self._warehouse.select(_COUNT)
            self._count = max(map(int, counted.array("count").tolist()), default=0)
        events = tuple(found.get(Partition(EVENTS, number), 0) for number in range(max(least, self._count)))
        return AsOf(events, found.get(Partition(CONTROL, 0), 0))
