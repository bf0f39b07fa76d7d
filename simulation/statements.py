"""The statements that gateways and materializers ask of events, each with its answer out of the tables of a world."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple

from fleetlog_core.warehouse.schema import KeyKind
from fleetlog_ingest.materializer.fold.branches import ALONE
from fleetlog_proto.v1 import event_pb2

from simulation import control_statements  # noqa: F401  (its statements are answered too)
from simulation.answers import Binds, answer, answers
from simulation.tables import Row, Tables

__all__ = ["answer"]
_BRANCH = {
    "source_run_id": "V16", "source_step": "<i8", "root_run_id": "V16", "branch": "<u4", "superseded_by": "V16",
}  # fmt: skip


def _among(rows: Iterable[Row], binds: Binds, name: str = "run_id") -> Iterable[Row]:
    """Rows of the namespace and the ids that are bound."""
    ids = {bytes.fromhex(one) for one in binds["ids"]}
    return (row for row in rows if row["namespace"] == binds["namespace"] and row[name] in ids)


def _ver(row: Row) -> int:
    ver = row["ver"]
    return int.from_bytes(ver, "little") if isinstance(ver, bytes) else int(ver)


@answers("8f0676ed4aad", topic="text", part="<u2", upto="<u8")
def _applied(tables: Tables, binds: Binds) -> Iterable[Row]:
    return [row | {"upto": row["next_offset"]} for row in tables.final("applied")]


@answers("68d6d9d8837a", topic="text", part="<u2", upto="<u8")
def _rebuilds(tables: Tables, binds: Binds) -> Iterable[Row]:
    return [row | {"upto": row["next_offset"]} for row in tables.final("rebuilds")]


@answers("3ef6ad24a593", n="<u8")
def _row_count(tables: Tables, binds: Binds) -> Iterable[Row]:
    of = ("applied", "run_touches", "run_homes", "points", "problems", "writers", "outcomes")
    return [{"n": sum(len(tables.all(table)) for table in of)}]


@answers(
    "c7644066102a", run_id="V16", experiment="<u4", name="text", user="text", state="u1", start_ms="<i8", end_ms="<i8",
    parent_run_id="V16", deleted="u1", started="u1", ver="<u8", delete_ms="<i8", endings="text", **_BRANCH,
)  # fmt: skip
def _runs(tables: Tables, binds: Binds) -> Iterable[Row]:
    alone = dict(zip(_BRANCH, astuple(ALONE), strict=True))
    for row in _among(tables.final("runs"), binds):
        times = {"start_ms": row["start_time"], "end_ms": row["end_time"], "delete_ms": row["delete_time"]}
        yield alone | row | times


@answers("f281bab8392f", run_id="V16", experiment="<u4", state="u1", deleted="u1", ver="<u8")
def _statuses(tables: Tables, binds: Binds) -> Iterable[Row]:
    return _among(tables.final("runs"), binds)


@answers(
    "96a36343e405", run_id="V16", writer_id="V16", rank="<i4", ranges="text", next_offset="<u8", at_work="<u8"
)  # fmt: skip
def _writers(tables: Tables, binds: Binds) -> Iterable[Row]:
    return _among(tables.final("writers"), binds)


@answers("a04ea9e77890", run_id="V16", ranges="text", request="<u8")
def _one_writer(tables: Tables, binds: Binds) -> Iterable[Row]:
    writer_id = bytes.fromhex(binds["writer"])
    return [row for row in _among(tables.final("writers"), binds) if row["writer_id"] == writer_id]


@answers("cf854c96ed14", run_id="V16", kind="u1", key="text", str="text")
def _written_once(tables: Tables, binds: Binds) -> Iterable[Row]:
    kinds, before = (KeyKind.PARAM, KeyKind.DATASET, KeyKind.MODEL), int(binds["before"])
    rows = _among(tables.final("run_attrs"), binds)
    return [row for row in rows if row["kind"] in kinds and _ver(row) < before]


@answers("1474e7b4953a", run_id="V16", metrics="<u8", tags="<u8")
def _key_counts(tables: Tables, binds: Binds) -> Iterable[Row]:
    found: dict[bytes, Row] = {}
    for row in _among(tables.final("run_attrs"), binds):
        counts = found.setdefault(row["run_id"], {"run_id": row["run_id"], "metrics": 0, "tags": 0})
        counts["metrics"] += row["kind"] == KeyKind.METRIC
        counts["tags"] += row["kind"] == KeyKind.TAG
    return found.values()


@answers("c56608b53cc2", run_id="V16", writer_id="V16", sequence="<u8")
def _problems(tables: Tables, binds: Binds) -> Iterable[Row]:
    return [row for row in _among(tables.all("problems"), binds) if row["off"] < binds["first"]]


@answers("b50855af4e31", run_id="V16", key="text", str="text")
def _tags(tables: Tables, binds: Binds) -> Iterable[Row]:
    rows = _among(tables.all("tag_history"), binds)
    return [row for row in rows if row["removed"] == 0 and _ver(row) < binds["ver"]]


@answers("a3af22eec82c", run_id="V16", key="text", step="<i8", value="<f8")
def _points(tables: Tables, binds: Binds) -> Iterable[Row]:
    keys, low, high, first = set(binds["keys"]), binds["low"], binds["high"], binds["first"]
    rows = _among(tables.all("points"), binds)
    found = [row for row in rows if row["key"] in keys and low <= row["step"] <= high and row["off"] < first]
    return sorted(found, key=lambda row: (row["run_id"], row["key"], row["step"]))


@answers("eb344740c2ce", subject="V16", number="<u4")
def _homes(tables: Tables, binds: Binds) -> Iterable[Row]:
    return [
        {"subject": row["run_id"], "number": row["experiment"]} for row in _among(tables.final("run_homes"), binds)
    ]  # fmt: skip


@answers("95eead2bcabb", subject="V16", number="<u4")
def _homes_of_models(tables: Tables, binds: Binds) -> Iterable[Row]:
    return []


@answers("d7b35df2b2b8", namespace="text")
def _pending(tables: Tables, binds: Binds) -> Iterable[Row]:
    return []


@answers("b581df0f1237", namespace="text", run_id="V16", ver="<u8", endings="text")
def _at_work(tables: Tables, binds: Binds) -> Iterable[Row]:
    running = int(event_pb2.RUN_STATE_RUNNING)
    return [row for row in tables.final("runs") if row["state"] == running and row["endings"] and not row["deleted"]]
