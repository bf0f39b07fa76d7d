"""The log is the truth: fold it again into an empty warehouse, and compare two warehouses table by table.

Two warehouses that hold the same facts differ in how their rows are merged and in the order in which sums of real
numbers were taken. So checksums are over merged rows (FINAL), in no order, and sums are compared within 1e-9.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from fleetlog_core.applied import APPLIED, offsets_of
from fleetlog_core.limits import RunLimits
from fleetlog_core.log.port import CONTROL, EVENTS, EventLog, Partition
from fleetlog_core.objects.port import ObjectStore
from fleetlog_core.warehouse.migrate import migrate
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_core.warehouse.schema import RECORD_SPAN

from fleetlog_ingest.materializer.fold.decoding import Decoded, decode
from fleetlog_ingest.materializer.fold.result import DeadLetter
from fleetlog_ingest.materializer.loop.apply import Applier
from fleetlog_ingest.materializer.loop.batching import BatchPolicy
from fleetlog_ingest.materializer.loop.pieces import Batch

READ_BYTES = 16 * 1024 * 1024
SUM_BUCKETS = 65_536
"""Sums are compared by this many groups of rows."""
SUM_TOLERANCE = 1e-9
TIMEOUT_SECONDS = 3_600.0

_TABLES: Mapping[str, str] = {
    "points": "namespace, run_id, key, step, ts, reinterpretAsUInt64(value), rank, part, off",
    "runs": "namespace, experiment, run_id, concat(name, endings), user, state, start_time, end_time, parent_run_id,"
    " deleted, started, ver",
    "branch_segments": "namespace, run_id, source_run_id, max_step, next_offset, part, off",
    "run_homes": "namespace, run_id, experiment",
    "attrs": "namespace, experiment, kind, key, run_id, reinterpretAsUInt64(num), str, type, removed, ver",
    "run_attrs": "namespace, run_id, kind, key, reinterpretAsUInt64(num), str, type, removed, ver",
    "series": "namespace, experiment, key, run_id, minv, maxv, n, nans, first, last, low, high",
    "run_series": "namespace, run_id, key, minv, maxv, n, nans, first, last, low, high",
    "rollup": "namespace, run_id, key, b, n, nans, minv, maxv",
    "artifacts": "namespace, run_id, path, size_bytes, sha256, ingest_time, ver",
    "artifact_deletions": "namespace, run_id, path, ver",
    "logged_models": "namespace, model_id, experiment, name, source_run_id, model_type, status, status_message,"
    " create_time, update_time, deleted, purged, made, ver",
    "model_attrs": "namespace, model_id, kind, key, str, removed, ver",
    "model_metrics": "namespace, model_id, key, run_id, ts, step, dataset_name, dataset_digest,"
    " reinterpretAsUInt64(value), ver",
    "problems": "namespace, run_id, part, off, writer_id, sequence, reason, points, ingest_time",
    "writers": "namespace, run_id, writer_id, rank, concat(ranges, if(at_work = 0, '', toString(at_work)))",
    "experiments": "namespace, experiment, name, tags, create_time, update_time, deleted, ver",
    # One of the two is always empty.
    "outcomes": "namespace, request_id, accepted, experiment, concat(reason, result), off",
    "registered_models": "namespace, model_id, name, deleted, ver, state",
    "model_versions": "namespace, model_id, version, stage, run_id, deleted, ver, state",
    "model_approvals": "namespace, model_id, number, decision, ver, state",
    "registry_history": "namespace, model_id, ver, place, kind, number, action, version, user, time, subject,"
    " old_value, new_value, comment, approval, request_id, state",
    "webhooks": "namespace, webhook_id, ver, deleted, state, sealed_secret",
    "tokens": "token_id, ver, state, salt, digest",
    "documents": "namespace, kind, document_id, ver, revision, made, parent_id, unique_key, deleted, create_time,"
    " update_time, create_user, update_user, body_bytes, body",
    "applied": "topic, part, next_offset",
}
"""Columns that must be the same to the bit. `writers.next_offset` is left out: where a batch ended is chance; so are
the words of messages, which may become better, and `run_skews`, a bound that how batches fell may widen."""
# `problems.place` is left out: one of an artifact that was stored late is numbered in another way.
_PAST: Mapping[str, str] = {
    "run_history": "namespace, experiment, run_id, name, user, state, start_time, end_time, parent_run_id, deleted,"
    " ver",
    "tag_history": "namespace, run_id, key, reinterpretAsUInt64(num), str, removed, ver",
    "experiment_history": "namespace, experiment, name, deleted, ver",
    "log_times": "topic, part, span, begin, first, next_offset",
}
"""Tables that versions before this one did not fill: compared when they know all of the past."""
_FILES: Mapping[str, str] = {
    "artifact_history": "namespace, run_id, path, ver, deleted, size_bytes, sha256, ingest_time",
}
"""Tables that were begun later still: compared where nothing was copied into them."""

_SOURCES: Mapping[str, str] = {
    "points": "points",
    "log_times": f"(SELECT * FROM log_times FINAL WHERE span != {RECORD_SPAN})",
    "records": f"(SELECT * FROM log_times FINAL WHERE span = {RECORD_SPAN})",
}
"""What is read of tables that are not read whole, merged; `records` are rows of `log_times`."""
_LATEST: Mapping[str, str] = {
    "records": "topic, part, begin, place, namespace, subject, of_model, time, principal, token_name, gateway, kinds,"
    " detail, request_id",
}
"""Tables that versions before this one did not fill either, which knew the past: compared where every record has a row.
`experiment` is left out: of a run that is not there yet it depends on how batches fell."""
_BRANCHES = (
    "if(source_run_id = toFixedString('', 16) AND superseded_by = toFixedString('', 16), 0,"
    " cityHash64(source_run_id, source_step, root_run_id, branch, superseded_by))"
)
_LATER: Mapping[str, str] = {"runs": _BRANCHES, "run_history": _BRANCHES}
"""What columns that came later add to the hash of a row: nothing where they say nothing, as in rows of before."""

_SUMS: Mapping[str, tuple[str, Sequence[str]]] = {
    "series": ("namespace, experiment, key, run_id", ("total", "squares")),
    "run_series": ("namespace, run_id, key", ("total", "squares")),
    "rollup": ("namespace, run_id, key, b", ("total",)),
}


@dataclass(frozen=True, slots=True)
class TableSum:
    """A table's checksum: its rows, their hash in no order, and its sums of reals by bucket with their scale."""

    rows: int
    digest: int
    sums: Mapping[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]


@dataclass(frozen=True, slots=True)
class Report:
    """What a comparison found. Empty `differences`: the same facts."""

    rows: Mapping[str, int]
    differences: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def rebuild(
    log: EventLog,
    warehouse: Warehouse,
    objects: ObjectStore,
    *,
    until: Mapping[Partition, int] | None = None,
    policy: BatchPolicy | None = None,
    limits: RunLimits | None = None,
) -> None:
    """Fold the whole log, or up to the next offsets in `until`, into an empty warehouse.

    Commits nothing and writes no dead letters; should it break off, begin again with another empty one.
    """
    migrate(warehouse)
    policy = policy or BatchPolicy()
    partitions = log.partitions(EVENTS)
    applier = Applier(warehouse, objects, "rebuild", _already_told, threading.Event(), limits, partitions)
    if not applier.is_empty():
        raise ValueError("rebuild needs an empty warehouse: rows of another fold would be counted twice")
    for topic in (CONTROL, EVENTS):
        for number in range(log.partitions(topic)):
            partition = Partition(topic, number)
            end = log.next_offset(partition) if until is None else until.get(partition, 0)
            _fold_partition(log, applier, partition, end, policy)


def _already_told(dead: Sequence[DeadLetter]) -> None:
    """Dead letters were written when the log was folded for the first time."""


def _fold_partition(log: EventLog, applier: Applier, partition: Partition, end: int, policy: BatchPolicy) -> None:
    waiting: list[Decoded] = []
    offset = 0
    while offset < end or waiting:
        while offset < end and sum(decoded.weight for decoded in waiting) < policy.target_weight:
            records = log.read(partition, offset, max_bytes=READ_BYTES)
            if not records:
                end = offset
                break
            waiting += [decode(record) for record in records if record.offset < end]
            offset = records[-1].offset + 1
        if waiting:
            size = policy.cut(waiting)
            applier.apply(Batch(partition, waiting[:size]))
            del waiting[:size]


def applied(log: EventLog, warehouse: Warehouse) -> dict[Partition, int]:
    """How far the warehouse has each partition of the log."""
    partitions = [Partition(topic, number) for topic in (CONTROL, EVENTS) for number in range(log.partitions(topic))]
    found = offsets_of(warehouse.select(APPLIED))
    return {partition: found.get(partition, 0) for partition in partitions}


def checksums(warehouse: Warehouse) -> dict[str, TableSum]:
    """Checksums of every table. Warehouses that can't be open at one time are taken one by one, and then `compare`d."""
    tables = dict(_TABLES)
    if _knows_all(warehouse, f"span != {RECORD_SPAN}"):
        tables |= _PAST
    if _knows_all(warehouse, f"span = {RECORD_SPAN}"):
        tables |= _LATEST
    if _is_whole(warehouse):
        tables |= _FILES
    return {table: _checksum(warehouse, table, columns) for table, columns in tables.items()}


def _knows_all(warehouse: Warehouse, rows: str) -> bool:
    """Whether such rows of `log_times` are there from the first record of every partition on."""
    sql = (
        "SELECT count() AS lacking FROM (SELECT DISTINCT topic, part FROM applied) WHERE (topic, part) NOT IN"
        f" (SELECT topic, part FROM log_times WHERE {rows} GROUP BY topic, part HAVING min(first) = 0)"
    )
    return int(warehouse.select(Statement(sql)).array("lacking")[0]) == 0


def _is_whole(warehouse: Warehouse) -> bool:
    """True if the history of files was kept from the first of them on."""
    sql = "SELECT count() AS copies FROM artifact_history WHERE copied = 1"
    return int(warehouse.select(Statement(sql)).array("copies")[0]) == 0


def _checksum(warehouse: Warehouse, table: str, columns: str) -> TableSum:
    source = _SOURCES.get(table, f"{table} FINAL")
    digest = f"cityHash64({columns})" + (f" + {_LATER[table]}" if table in _LATER else "")
    whole = warehouse.select(
        Statement(f"SELECT count() AS row_count, sum({digest}) AS digest FROM {source}", wide=True),
        timeout_seconds=TIMEOUT_SECONDS,
    )
    sums: dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]] = {}
    keys, names = _SUMS.get(table, ("", ()))
    for name in names:
        # What a sum of n numbers may be off by goes with their size, not with what is left of them.
        size = "abs(squares)" if name == "squares" else "greatest(abs(minv), abs(maxv)) * n"
        buckets = warehouse.select(
            Statement(
                f"SELECT cityHash64({keys}) % {SUM_BUCKETS} AS bucket,"
                f" sum({name}) AS bucket_sum, sum({size}) AS bucket_size"
                f" FROM {table} FINAL WHERE isFinite({name}) AND isFinite({size}) GROUP BY bucket",
                wide=True,
            ),
            timeout_seconds=TIMEOUT_SECONDS,
        )
        totals, sizes = np.zeros(SUM_BUCKETS), np.zeros(SUM_BUCKETS)
        places = buckets.array("bucket").astype(np.int64)
        totals[places], sizes[places] = buckets.array("bucket_sum"), buckets.array("bucket_size")
        sums[name] = (totals, sizes)
    return TableSum(int(whole.array("row_count")[0]), int(whole.array("digest")[0]), sums)


def compare(live: Mapping[str, TableSum], scratch: Mapping[str, TableSum]) -> Report:
    """What differs between the checksums of two warehouses."""
    differences: list[str] = []
    for table, one in live.items():
        if table not in scratch and (table in _PAST or table in _LATEST or table in _FILES):
            continue
        other = scratch[table]
        if one.rows != other.rows:
            differences.append(f"{table}: {one.rows} rows live, {other.rows} rows rebuilt")
        elif one.digest != other.digest:
            differences.append(f"{table}: {one.rows} rows, of which some differ")
        for name, (totals, sizes) in one.sums.items():
            others, other_sizes = other.sums[name]
            wrong = np.abs(totals - others) > SUM_TOLERANCE * np.maximum(sizes, other_sizes)
            if wrong.any():
                differences.append(f"{table}.{name}: {int(wrong.sum())} of {SUM_BUCKETS} sums differ by more than 1e-9")
    return Report({table: found.rows for table, found in live.items()}, tuple(differences))


def verify(log: EventLog, live: Warehouse, scratch: Warehouse) -> Report:
    """Compare a live warehouse with one that `rebuild` made. Both must be still and equally far in the log."""
    one, other = applied(log, live), applied(log, scratch)
    behind = tuple(
        f"{partition}: live is at {one[partition]}, rebuilt at {other[partition]}"
        for partition in one
        if one[partition] != other[partition]
    )
    report = compare(checksums(live), checksums(scratch))
    return Report(report.rows, behind + report.differences)
