"""Pages of models and versions: keys first, then as many states as fit a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleetlog_core import limits
from fleetlog_core.registry.snapshot import Snapshot
from fleetlog_core.registry.states import Kind, shown_version, version_of
from fleetlog_core.warehouse.port import Bind
from fleetlog_proto.v1 import model_version_pb2, registered_model_pb2

from fleetlog_query.warehouse.rows import rows_of


@dataclass(frozen=True, slots=True)
class Found:
    """Conditions of a search: SQL over the columns of a kind, and its values."""

    where: str
    binds: Mapping[str, Bind]


@dataclass(frozen=True, slots=True)
class Key:
    """A row that a search found. `bytes`: length of its state."""

    model_id: int
    number: int
    ver: int
    name: str
    bytes: int


def tag_conditions(tags: Mapping[str, str]) -> Found:
    """States with all of the tags."""
    parts, binds = ["1"], dict[str, Bind]()
    for place, key in enumerate(sorted(tags)):
        parts.append(f"JSONExtractString(state, 'tags', {{key{place}:String}}) = {{text{place}:String}}")
        parts.append(f"JSONHas(state, 'tags', {{key{place}:String}})")
        binds |= {f"key{place}": key, f"text{place}": tags[key]}
    return Found(" AND ".join(parts), binds)


def models_by_name(snapshot: Snapshot, found: Found, after: str, count: int) -> list[Key]:
    """Models whose names come behind `after`, by name."""
    where = f"({found.where}) AND deleted = 0 AND name > {{after:String}} ORDER BY name LIMIT {count}"
    return _keys(snapshot, Kind.MODEL, where, {**found.binds, "after": after}, "name")


def versions_by_change(
    snapshot: Snapshot, found: Found, after: Sequence[int], count: int, model_id: int | None = None
) -> list[Key]:
    """Versions of one model or of all, those changed last first. `after`: ver, model and number of the one before."""
    of_all = "" if model_id is not None else f" AND model_id IN {snapshot.active_models()}"
    binds = dict(found.binds)
    behind = ""
    if after:
        # Within one change by model and number, the highest first.
        behind = " AND (ver, model_id, number) < ({ver:UInt64}, {model:UInt64}, {number:UInt64})"
        binds |= {"ver": after[0], "model": after[1], "number": after[2]}
    where = (
        f"({found.where}) AND deleted = 0{of_all}{behind} ORDER BY ver DESC, model_id DESC, number DESC LIMIT {count}"
    )
    return _keys(snapshot, Kind.VERSION, where, binds, "''", None if model_id is None else [model_id])


def fitting(sizes: Sequence[int], most: int) -> int:
    """Count of the first rows that make a page: at most `most`, about limits.PAGE_BYTES, one of those there are."""
    total = 0
    for place, size in enumerate(sizes[:most]):
        total += size
        if total > limits.PAGE_BYTES and place:
            return place
    return min(len(sizes), most)


def latest_bytes(snapshot: Snapshot, model_ids: Sequence[int]) -> dict[int, int]:
    """Length of the states of the latest versions of each model."""
    if not model_ids:
        return {}
    answer = snapshot.select(
        Kind.VERSION,
        "deleted = 0 GROUP BY model_id, stage",
        {},
        columns="model_id, stage, argMax(length(state), number) AS size",
        model_ids=model_ids,
    )
    found: dict[int, int] = {}
    for model_id, size in rows_of(answer, "model_id", "size"):
        found[model_id] = found.get(model_id, 0) + size
    return found


def read_models(snapshot: Snapshot, model_ids: Sequence[int]) -> list[registered_model_pb2.RegisteredModel]:
    """Models with their latest versions, in the order of the ids."""
    models = snapshot.models(model_ids)
    for version in snapshot.latest(model_ids):
        model = models[version.model_id]
        model.latest_versions.append(shown_version(version, model))
    return [models[model_id] for model_id in model_ids if model_id in models]


def read_versions(snapshot: Snapshot, keys: Sequence[Key]) -> list[model_version_pb2.ModelVersion]:
    """Versions with the names and aliases of their models, in the order of the keys."""
    if not keys:
        return []
    model_ids = sorted({key.model_id for key in keys})
    answer = snapshot.select(
        Kind.VERSION,
        "(model_id, number) IN (SELECT pair.1, pair.2 FROM"
        " (SELECT arrayJoin(arrayZip({of:Array(UInt64)}, {numbers:Array(UInt64)})) AS pair))",
        {"of": [key.model_id for key in keys], "numbers": [key.number for key in keys]},
        model_ids=model_ids,
    )
    versions = {(one.model_id, one.version): one for one in map(version_of, answer.texts("state"))}
    names = snapshot.select(
        Kind.MODEL, "1", {}, columns="model_id, name, JSONExtractRaw(state, 'aliases') AS aliases", model_ids=model_ids
    )
    models = {
        model_id: registered_model_pb2.RegisteredModel(name=name, aliases=json.loads(aliases or "{}"))
        for model_id, name, aliases in rows_of(names, "model_id", "name", "aliases")
    }
    return [
        shown_version(versions[pair], models[pair[0]])
        for pair in ((key.model_id, key.number) for key in keys)
        if pair in versions and pair[0] in models
    ]


def _keys(
    snapshot: Snapshot, kind: Kind, where: str, binds: Mapping[str, Bind], name: str, model_ids: list[int] | None = None
) -> list[Key]:
    answer = snapshot.select(
        kind,
        where,
        binds,
        columns=f"model_id, number, ver, {name} AS named, length(state) AS size",
        model_ids=model_ids,
    )
    return [Key(*row) for row in rows_of(answer, "model_id", "number", "ver", "named", "size")]
