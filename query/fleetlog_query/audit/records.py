"""Records of the log that match some conditions, in the log's order, from `log_times`.

Each partition has its order, by which its rows lie: a page reads as many rows of each partition as it may need, and
stops. Between partitions rows are put together by time, as far as each one's order allows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fleetlog_core.log.port import CONTROL, Partition
from fleetlog_core.warehouse.port import Answer, Statement
from fleetlog_core.warehouse.schema import EVERY_NAMESPACE, RECORD_SPAN

from fleetlog_query.sql.binds import Binds
from fleetlog_query.warehouse.rows import rows_of

Select = Callable[[Statement], Answer]
Place = tuple[int, int]
"""Offset of a record and the place within it."""
_COLUMNS = (
    "topic, part, begin, place, namespace, subject, of_model, experiment, toUnixTimestamp64Milli(time) AS millis,"
    " principal, token_name, gateway, kinds, detail, request_id"
)
_NAMES = (
    "topic", "part", "begin", "place", "namespace", "subject", "of_model", "experiment", "millis", "principal",
    "token_name", "gateway", "kinds", "detail", "request_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One row: a record, or a record as far as it is about one more run."""

    partition: Partition
    offset: int
    place: int
    namespace: str
    subject: bytes
    of_model: int
    experiment: int
    time_millis: int
    principal: str
    token_name: str
    gateway: str
    kinds: str
    detail: str
    request_id: bytes


@dataclass(frozen=True, slots=True)
class Conditions:
    """What records have in common. `namespace` EVERY_NAMESPACE: whatever they are of."""

    namespace: str
    subject: bytes = b""
    """Id of a run or logged model; b"" = any."""
    experiment: int | None = None
    control_offsets: Sequence[int] | None = None
    """Offsets of intents, beside those that say the experiment; None = any."""
    principal: str = ""
    token_name: str = ""
    kinds: Sequence[str] = ()

    def sql(self, partition: Partition, binds: Binds) -> str:
        """As a condition on rows of the partition."""
        parts = ["namespace != ''"]
        if self.namespace != EVERY_NAMESPACE:
            parts = [f"namespace = {binds.text(self.namespace)}"]
        if self.subject:
            parts.append(f"subject = {binds.run_id(self.subject)}")
        else:
            # Once each, however many runs it is about.
            parts.append("place = 0")
        if self.experiment is not None:
            own = f"experiment = {binds.whole(self.experiment)}"
            is_intent = partition.topic == CONTROL and self.control_offsets
            among = f" OR has({binds.offsets(self.control_offsets or ())}, toUInt64(begin))" if is_intent else ""
            parts.append(f"({own}{among})")
        elif self.control_offsets is not None:
            parts.append(f"begin IN (SELECT arrayJoin({binds.wholes(self.control_offsets)}))")
        if self.principal:
            parts.append(f"principal = {binds.text(self.principal)}")
        if self.token_name:
            parts.append(f"token_name = {binds.text(self.token_name)}")
        if self.kinds:
            parts.append(f"hasAny(splitByChar(',', kinds), {binds.texts(self.kinds)})")
        return " AND ".join(parts)


def read_records(
    select: Select,
    conditions: Conditions,
    within: Mapping[Partition, tuple[int, int]],
    after: Mapping[Partition, Place],
    count: int,
    *,
    latest_first: bool,
) -> list[RecordRow]:
    """The first `count` rows behind the places in `after`, of offsets from the first to the second, without it."""
    binds, parts = Binds(), list[str]()
    for partition, (first, until) in within.items():
        if first >= until:
            continue
        where = f"topic = {binds.text(partition.topic)} AND part = {partition.number} AND span = {RECORD_SPAN}"
        where += f" AND begin >= {binds.whole(first)} AND begin < {binds.whole(until)}"
        place = after.get(partition)
        if place is not None:
            sign = "<" if latest_first else ">"
            offset, within_record = binds.whole(place[0]), binds.whole(place[1])
            where += f" AND begin {sign}= {offset} AND (begin {sign} {offset} OR place {sign} {within_record})"
        order = "begin DESC, place DESC" if latest_first else "begin, place"
        parts.append(
            f"SELECT {_COLUMNS} FROM log_times WHERE {where} AND {conditions.sql(partition, binds)}"
            f" ORDER BY {order} LIMIT {count}"
        )
    if not parts:
        return []
    sql = " UNION ALL ".join(f"SELECT * FROM ({part})" for part in parts)
    found: dict[Partition, list[RecordRow]] = {}
    for topic, part, *values in rows_of(select(binds.statement(sql)), *_NAMES):
        partition = Partition(topic, part)
        found.setdefault(partition, []).append(RecordRow(partition, *values))
    for rows in found.values():
        # The parts of a union come in any order.
        rows.sort(key=lambda row: (row.offset, row.place), reverse=latest_first)
    return merged([found[partition] for partition in sorted(found)], count, latest_first=latest_first)


def merged(queues: Sequence[Sequence[RecordRow]], count: int, *, latest_first: bool) -> list[RecordRow]:
    """The first rows of several orders put together, each of which stays as it is, by the times of the rows."""
    places, rows = [0] * len(queues), list[RecordRow]()
    while len(rows) < count:
        heads = [(queue[place], number) for number, (queue, place) in enumerate(zip(queues, places, strict=True))
                 if place < len(queue)]  # fmt: skip
        if not heads:
            break
        # Of equal times the first partition's.
        pick = max if latest_first else min
        row, number = pick(heads, key=lambda head: head[0].time_millis)
        places[number] += 1
        rows.append(row)
    return rows


def has_records(select: Select, conditions: Conditions, partitions: Sequence[Partition]) -> bool:
    """True if there is any record of these conditions in the partitions."""
    within = dict.fromkeys(partitions, (0, (1 << 63) - 1))
    return bool(read_records(select, conditions, within, {}, 1, latest_first=False))


def refusals(select: Select, rows: Sequence[RecordRow]) -> dict[RecordRow, str]:
    """Why intents among the rows were refused; REPEATED for a request that had its outcome before."""
    intents = [row for row in rows if row.partition.topic == CONTROL]
    if not intents:
        return {}
    binds = Binds()
    namespaces = sorted({row.namespace for row in intents} - {EVERY_NAMESPACE} | {"default"})
    sql = (
        "SELECT request_id, accepted, reason, off FROM outcomes FINAL"
        f" WHERE namespace IN (SELECT arrayJoin({binds.texts(namespaces)}))"
        f" AND request_id IN {binds.run_ids(sorted({row.request_id for row in intents}))}"
    )
    outcomes = {
        request_id: (bool(accepted), reason, offset)
        for request_id, accepted, reason, offset in rows_of(
            select(binds.statement(sql)), "request_id", "accepted", "reason", "off"
        )
    }
    found: dict[RecordRow, str] = {}
    for row in intents:
        accepted, reason, offset = outcomes.get(row.request_id, (True, "", row.offset))
        if offset != row.offset:
            found[row] = "REPEATED"
        elif not accepted:
            found[row] = reason
    return found


def offsets_of_models(select: Select, namespace: str, name: str) -> list[int] | None:
    """Offsets of intents that changed registered models of this name, or that had it at last; None = there is none."""
    binds = Binds()
    models = (
        f"SELECT model_id FROM registered_models FINAL WHERE namespace = {binds.text(namespace)}"
        f" AND name = {binds.text(name)}"
    )
    ids = select(binds.statement(models)).array("model_id").tolist()
    if not ids:
        return None
    return _offsets(select, namespace, "registry_history", "model_id", ids)


def offsets_of_experiment(select: Select, namespace: str, experiment: int) -> list[int]:
    """Offsets of intents that made or changed the experiment."""
    return _offsets(select, namespace, "experiment_history", "experiment", [experiment])


def _offsets(select: Select, namespace: str, table: str, column: str, ids: Sequence[int]) -> list[int]:
    binds = Binds()
    sql = (
        f"SELECT DISTINCT toInt64(ver) AS off FROM {table} WHERE namespace = {binds.text(namespace)}"
        f" AND {column} IN (SELECT arrayJoin({binds.offsets(ids)})) ORDER BY off"
    )
    return [int(offset) for offset in select(binds.statement(sql)).array("off").tolist()]
