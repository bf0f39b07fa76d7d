"""What must hold when everything is whole again and nothing is on its way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import fleetlog
from fleetlog_core.log.port import CONTROL, DEAD_LETTERS, EVENTS, EventLog, Partition, Record
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_ingest import replay
from fleetlog_proto.v1 import frame_pb2

from tests.deploy.cluster import Cluster
from tests.faults.ledger import Entry, Promises
from tests.faults.writer import EXPERIMENT, KEY
from tests.waiting import reached

READ_BYTES = 1 << 24
TRIES = 3


def judge(promises: Promises, reader: fleetlog.Client, own: Cluster, *, log: EventLog, live: Warehouse) -> None:
    """Hold what can be read against the ledgers: AssertionError says which promise was broken by what."""
    settled(log, live)
    judge_reads(promises, reader)
    judge_order(live)
    differences: Sequence[str] = ()
    for _ in range(TRIES):
        ends = _ends(log)
        settled(log, live)
        fresh = own.fresh_warehouse()
        replay.rebuild(log, fresh, own.objects())
        differences = replay.verify(log, live, fresh).differences
        if not differences or ends == _ends(log):
            break
        # A record came meanwhile, such as one that says who was heard: the tables are of two moments.
    assert not differences


def judge_reads(promises: Promises, reader: fleetlog.Client) -> None:
    """Hold what can be read against the ledgers alone."""
    seen = Counter(_visible(reader))
    _none({entry for entry in promises.durable if not seen[entry]}, "acknowledged and not there")
    _none({entry for entry, times in seen.items() if times > 1}, "there more than once")
    _none(seen.keys() - promises.sent, "there and never written")


def judge_order(live: Warehouse) -> None:
    """Hold the order of the log against the order in which each writer wrote."""
    _none(set(_out_of_order(live)), "not in its writer's order")


def _ends(log: EventLog) -> dict[Partition, int]:
    return {partition: log.next_offset(partition) for partition in partitions(log)}


def settled(log: EventLog, live: Warehouse, seconds: float = 120.0) -> None:
    """Wait until everything that is in the log now is in the tables, for as long as they come nearer to it.

    AssertionError: nothing more was applied for so many seconds.
    """
    ends = _ends(log)
    left = float("inf")

    def nearer() -> bool:
        nonlocal left
        applied = replay.applied(log, live)
        before, left = left, sum(max(0, end - applied[partition]) for partition, end in ends.items())
        return left == 0 or left < before

    while left:
        reached(nearer, seconds)


def partitions(log: EventLog, *topics: str) -> list[Partition]:
    """All that becomes tables, or those of some topics."""
    return [Partition(topic, n) for topic in topics or (CONTROL, EVENTS) for n in range(log.partitions(topic))]


def records(log: EventLog, topic: str) -> list[Record]:
    """Everything in a topic."""
    found: list[Record] = []
    for partition in partitions(log, topic):
        offset, end = 0, log.next_offset(partition)
        while offset < end:
            found += log.read(partition, offset, max_bytes=READ_BYTES)
            offset = found[-1].offset + 1
    return found


def repeats(log: EventLog) -> int:
    """How many events the log holds again. All of its records are frames."""
    identities: Counter[tuple[bytes, bytes, int]] = Counter()
    for record in records(log, EVENTS):
        frame = frame_pb2.Frame.FromString(record.value)
        identities.update((frame.run_id, frame.writer_id, event.sequence) for event in frame.events)
    return sum(identities.values()) - len(identities)


def dead_letters(log: EventLog) -> list[str]:
    """The keys of the dead letters: where each was, and why it is one."""
    return [record.key.decode() for record in records(log, DEAD_LETTERS)]


def _visible(reader: fleetlog.Client) -> Iterator[Entry]:
    runs = [run.id for run in reader.search_runs(experiments=[EXPERIMENT])]
    for series in reader.read_series(runs, [KEY], per_rank=True):
        for step, value in zip(series.steps.tolist(), series.values.tolist(), strict=True):
            yield Entry(series.run_id, -1 if series.rank is None else series.rank, step, value)


def _out_of_order(live: Warehouse) -> Iterator[tuple[str, int, int]]:
    """Points that the log has before one of an earlier step of the same writer."""
    rows = live.select(
        Statement(
            "SELECT lower(hex(run_id)) AS run, rank, step, off FROM points WHERE key = {key:String}"
            " ORDER BY run, rank, step",
            {"key": KEY},
        )
    )
    last: tuple[str, int, int] = ("", 0, 0)
    columns = (rows.texts("run"), rows.array("rank").tolist(), rows.array("step").tolist(), rows.array("off").tolist())
    for run, rank, step, offset in zip(*columns, strict=True):
        if (run, rank) == last[:2] and offset < last[2]:
            yield run, rank, step
        last = (run, rank, offset)


def _none(found: set[Entry] | set[tuple[str, int, int]], what: str) -> None:
    assert not found, f"{len(found)} points are {what}: {sorted(found)[:5]}"
