"""The statements that are asked of names, each with its answer out of the tables of a world."""

from __future__ import annotations

import json
from collections.abc import Iterable

from fleetlog_core.registry.states import Kind

from simulation.answers import Binds, answers
from simulation.tables import Row, Tables

_TABLES = {
    Kind.MODEL: ("registered_models", ""),
    Kind.VERSION: ("model_versions", "version"),
    Kind.APPROVAL: ("model_approvals", "number"),
}


def _of(rows: Iterable[Row], binds: Binds) -> Iterable[Row]:
    return (row for row in rows if row["namespace"] == binds["namespace"])


@answers(
    "496592de620f",
    accepted="u1",
    experiment="<u4",
    reason="text",
    message="text",
    request="<u8",
    result="text",
    off="<u8",
)  # fmt: skip
def _outcome(tables: Tables, binds: Binds) -> Iterable[Row]:
    request_id = bytes.fromhex(binds["request"])
    return [row for row in _of(tables.final("outcomes"), binds) if row["request_id"] == request_id]


@answers(
    "d108e84760aa", name="text", tags="text", created="<i8", changed="<i8", deleted="u1", artifact_location="text"
)  # fmt: skip
def _experiment(tables: Tables, binds: Binds) -> Iterable[Row]:
    rows = _of(tables.final("experiments"), binds)
    return [_timed(row, "created", "changed") for row in rows if row["experiment"] == binds["experiment"]]


@answers(
    "8927290c11f6", experiment="<u4", name="text", tags="text", create_ms="<i8", update_ms="<i8", deleted="u1",
    ver="<u8", artifact_location="text",
)  # fmt: skip
def _experiments(tables: Tables, binds: Binds) -> Iterable[Row]:
    return [_timed(row, "create_ms", "update_ms") for row in _of(tables.final("experiments"), binds)]


def _timed(row: Row, created: str, changed: str) -> Row:
    return row | {created: row["create_time"], changed: row["update_time"]}


@answers("d63d5774d3e7", request_id="V16")
def _held(tables: Tables, binds: Binds) -> Iterable[Row]:
    return list(_of(tables.all("outcomes"), binds))[: binds["most"]]


@answers("1142d315dd32", request_id="V16", off="<u8")
def _decided(tables: Tables, binds: Binds) -> Iterable[Row]:
    ids = {bytes.fromhex(one) for one in binds["ids"]}
    return [row for row in _of(tables.final("outcomes"), binds) if row["request_id"] in ids]


@answers("6fd63a1bb51c", kind="u1", number="<u8", state="text", at="<i8")
def _states(tables: Tables, binds: Binds) -> Iterable[Row]:
    rows = _of(tables.final("registry_history"), binds)
    return [
        row | {"at": row["time"]} for row in rows if (row["model_id"], row["ver"]) == (binds["model"], binds["ver"])
    ]


def _snapshot(tables: Tables, binds: Binds, kind: Kind) -> list[Row]:
    """States of a kind: the current ones, or those before an offset, of which the history tells."""
    table, number = _TABLES[kind]
    before = binds.get("before", 1 << 63)
    found: dict[tuple[int, int], str] = {}
    gone: set[tuple[int, int]] = set()
    for row in _of(tables.final(table), binds):
        key = (row["model_id"], row[number] if number else 0)
        if row["ver"] < before:
            found[key] = row["state"]
        else:
            gone.add(key)
    history = (row for row in _of(tables.final("registry_history"), binds) if row["kind"] == kind and row["state"])
    for row in sorted(history, key=lambda row: (row["ver"], row["place"])):
        key = (row["model_id"], row["number"])
        if row["ver"] < before and key in gone:
            found[key] = row["state"]
    models = binds.get("models")
    return [
        {"model_id": key[0], "number": key[1], "state": state} | json.loads(state)
        for key, state in found.items()
        if models is None or key[0] in models
    ]


@answers("fbd2fd6a9a8b", "d4169eb5a77a", state="text")
def _named(tables: Tables, binds: Binds) -> Iterable[Row]:
    names = set(binds["names"])
    return [row for row in _snapshot(tables, binds, Kind.MODEL) if not row.get("deleted") and row["name"] in names]


@answers("b00cfbfd10df", "d466ffbea814", state="text")
def _models(tables: Tables, binds: Binds) -> Iterable[Row]:
    return _snapshot(tables, binds, Kind.MODEL)


@answers("d6b44ca980fd", "40230d16d648", state="text")
def _versions(tables: Tables, binds: Binds) -> Iterable[Row]:
    numbers, stages = set(binds["numbers"]), set(binds["stages"])
    return [
        row for row in _snapshot(tables, binds, Kind.VERSION)
        if row["number"] in numbers or (not row.get("deleted") and row["stage"] in stages)
    ]  # fmt: skip
