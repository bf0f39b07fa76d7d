"""Which objects the log refers to; what it does not may be removed from the object store.

The log is asked and not the tables: they show the last artifact of a path alone, and a rebuild folds every one again.
"""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog_core.log.port import EVENTS, EventLog, Partition
from fleetlog_core.objects.orphans import Sweepable, Swept, collect_orphans
from fleetlog_core.objects.port import ObjectName

from fleetlog_ingest.materializer.fold.decoding import Decoded, decode

READ_BYTES = 16 * 1024 * 1024


class AnotherLog(Exception):
    """The log refers to no old object in the store: most likely it is the log of other objects."""


def collect(log: EventLog, objects: Sweepable, now_millis: int, *, dry_run: bool = False, force: bool = False) -> Swept:
    """Remove the old objects that nothing in the log refers to; see `collect_orphans`. Reads the whole log once.

    Safe beside running services: what is written meanwhile is too young. `dry_run` counts and removes nothing; `force`
    removes also where nothing is referred to. LogUnavailable, RecordsGone, ObjectStoreUnavailable, AnotherLog.
    """
    referred = Referred()
    for number in range(log.partitions(EVENTS)):
        partition = Partition(EVENTS, number)
        offset, end = 0, log.next_offset(partition)
        while offset < end and (records := log.read(partition, offset, max_bytes=READ_BYTES)):
            for record in records:
                referred.add(decode(record))
            offset = records[-1].offset + 1
    if not force:
        looked = collect_orphans(objects, referred.among, now_millis, dry_run=True)
        if looked.removed and not referred.found:
            raise AnotherLog(
                f"the log refers to none of the {looked.removed:,} old objects ({looked.removed_bytes:,} bytes)"
            )
        if dry_run:
            return looked
    return collect_orphans(objects, referred.among, now_millis, dry_run=dry_run)


class Referred:
    """The objects that records refer to; of a run with events that only a newer fleetlog can read, all."""

    def __init__(self) -> None:
        self._names: set[ObjectName] = set()
        self._runs: set[tuple[str, bytes]] = set()
        self.found = 0
        """How many of the names that were asked for are referred to."""

    def add(self, decoded: Decoded) -> None:
        """Take in a record. What is no frame refers to nothing."""
        if decoded.frame is None:
            return
        run_id = decoded.frame.run_id
        for event in decoded.frame.events:
            kind = event.WhichOneof("payload")
            if kind == "artifact_logged":
                self._names.add(ObjectName(decoded.namespace, run_id, event.artifact_logged.sha256))
            elif kind is None:
                self._runs.add((decoded.namespace, run_id))

    def among(self, names: Sequence[ObjectName]) -> set[ObjectName]:
        """Names, out of the given ones, that the log refers to."""
        found = {name for name in names if name in self._names or (name.namespace, name.run_id) in self._runs}
        self.found += len(found)
        return found
