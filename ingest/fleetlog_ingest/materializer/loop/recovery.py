"""Where a partition that became ours goes on: what was declared is done again, exactly, and lost rows are noticed."""

from __future__ import annotations

from collections.abc import Callable

from fleetlog_core.log.port import Commit, Consumer, EventLog, LogUnavailable, Partition

from fleetlog_ingest.materializer.fold.decoding import Decoded, decode
from fleetlog_ingest.materializer.loop.apply import Applier
from fleetlog_ingest.materializer.loop.pieces import Batch

POLL_BYTES = 16 * 1024 * 1024


class WarehouseBehind(Exception):
    """The group's progress is ahead of the warehouse: rows were lost, and only a rebuild brings them back."""


class Recovery:
    """Recovery of one group. `apply` puts a batch into the warehouse."""

    def __init__(self, log: EventLog, group: str, applier: Applier, apply: Callable[[Batch], None]) -> None:
        self._log = log
        self._group = group
        self._applier = applier
        self._apply = apply

    def recover(self, consumer: Consumer, partition: Partition) -> int:
        """Finish what was declared. Answers with the offset to go on from. WarehouseBehind, Fenced, LogUnavailable."""
        self._applier.forget(partition)
        commit = consumer.committed(partition) or Commit(0)
        applied = self._applier.applied(partition)
        if commit.metadata:
            first, last = commit.offset, int(commit.metadata)
            if applied > last:
                return applied
            self._must_hold(partition, first, applied)
            if applied < first:
                # A rebuild has not come to it: it was declared before the rows were lost.
                return applied
            self._apply(Batch(partition, self._read(partition, first, last)))
            consumer.commit(partition, Commit(last + 1))
            return last + 1
        self._must_hold(partition, commit.offset, applied)
        return applied

    def _must_hold(self, partition: Partition, confirmed: int, applied: int) -> None:
        if applied >= confirmed or applied < self._applier.rebuild_target(partition):
            return
        if applied == 0 and self._applier.is_empty():
            return
        raise WarehouseBehind(
            f"{partition}: the log's group {self._group!r} is at {confirmed}, the warehouse has {applied}. Rows"
            " were lost: rebuild it from the log into an empty one, with a group of its own"
        )

    def _read(self, partition: Partition, first: int, last: int) -> list[Decoded]:
        found: list[Decoded] = []
        while first <= last:
            records = self._log.read(partition, first, max_bytes=POLL_BYTES)
            if not records:
                raise LogUnavailable(f"{partition} does not have the offset {first}, which was declared")
            found += [decode(record) for record in records if record.offset <= last]
            first = records[-1].offset + 1
        return found
