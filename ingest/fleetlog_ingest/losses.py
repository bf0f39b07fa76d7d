"""What a warehouse lost that the log's group counts as in, and whether the log can bring it back."""

from __future__ import annotations

import time
from collections.abc import Mapping

from fleetlog_core.log.port import CONTROL, EVENTS, Commit, EventLog, LogUnavailable, Partition, RecordsGone
from fleetlog_core.rebuilds import rebuild_targets
from fleetlog_core.warehouse.checkpoints import last_checkpoint, loss, restarted, tables_of
from fleetlog_core.warehouse.port import Warehouse

from fleetlog_ingest.replay import applied

JOIN_SECONDS = 30.0


class LogLost(Exception):
    """The log lacks records that are needed to make the tables whole: a person has to choose."""


def partitions_of(log: EventLog) -> list[Partition]:
    """All that are folded."""
    return [Partition(topic, number) for topic in (CONTROL, EVENTS) for number in range(log.partitions(topic))]


def committed(log: EventLog, group: str) -> dict[Partition, Commit]:
    """What the group committed of each partition. For a group without members. LogUnavailable."""
    wanted = frozenset(partitions_of(log))
    until = time.monotonic() + JOIN_SECONDS
    consumer = log.consumer(group, (EVENTS, CONTROL))
    try:
        while consumer.assignment() != wanted:
            if time.monotonic() > until:
                raise LogUnavailable(f"the group {group!r} of the log has other members: stop them first")
            consumer.poll(0.01, max_bytes=0)
        return {partition: consumer.committed(partition) or Commit(0) for partition in sorted(wanted)}
    finally:
        consumer.close()


def committed_by_members(log: EventLog, group: str) -> dict[Partition, Commit]:
    """What the group committed of each partition so far, whoever its members are; joins none. LogUnavailable."""
    consumer = log.consumer(group, (EVENTS, CONTROL))
    try:
        return {partition: consumer.committed(partition) or Commit(0) for partition in partitions_of(log)}
    finally:
        consumer.close()


def loss_of(log: EventLog, warehouse: Warehouse, commits: Mapping[Partition, Commit], boot: str) -> str:
    """What the warehouse lost, in words; empty when nothing. To be asked before anything is inserted.

    LogLost when it is the log that lacks records. What the warehouse raises says nothing of its rows, and is raised on.
    """
    try:
        if gone := loss(warehouse, boot):
            return gone
        tables = tables_of(warehouse)
        reached = applied(log, warehouse) if "applied" in tables else dict.fromkeys(commits, 0)
        targets = rebuild_targets(warehouse) if "rebuilds" in tables else {}
        is_restarted = "checkpoints" in tables and restarted(last_checkpoint(warehouse), boot)
    except ValueError as error:
        return f"its checkpoint can't be read ({error})"
    for partition, commit in commits.items():
        end = log.next_offset(partition)
        if reached[partition] > end:
            raise LogLost(
                f"{partition}: the tables have records up to {reached[partition]:,}, the log has {end:,}: it lost some,"
                " or is an older copy. Put the newer log back; with this one, new records would be taken for old ones"
            )
        if is_restarted and commit.metadata and reached[partition] <= int(commit.metadata):
            return f"the machine was restarted while records of {partition} were on their way in"
        if targets.get(partition, 0) <= reached[partition] < commit.offset:
            return f"it has {partition} up to {reached[partition]:,}, where {commit.offset:,} were in"
    return ""


def must_have_all(log: EventLog, reason: str) -> dict[Partition, int]:
    """The next offset of each partition of a log that has everything since its begin. LogLost when it does not."""
    ends = {partition: log.next_offset(partition) for partition in partitions_of(log)}
    for partition, end in ends.items():
        try:
            records = log.read(partition, 0, max_bytes=1) if end else ()
        except RecordsGone as error:
            raise _gone(partition, reason, str(error)) from error
        if end and (not records or records[0].offset != 0):
            first = records[0].offset if records else end
            raise _gone(partition, reason, f"it begins at {first:,}")
    return ends


def _gone(partition: Partition, reason: str, detail: str) -> LogLost:
    return LogLost(
        f"rows of the warehouse are lost ({reason}), and the log no longer has all of {partition} to make them anew:"
        f" {detail}. Put back a copy of the warehouse or of the log that has them"
    )
