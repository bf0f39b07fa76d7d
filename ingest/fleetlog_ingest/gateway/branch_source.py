"""What the gateway asks the warehouse of a run that another one goes on from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleetlog_core.ids import ID_BYTES
from fleetlog_core.ordered import unpack_high, unpack_low, unpack_point
from fleetlog_core.params import param_of
from fleetlog_core.warehouse.packed import HIGH_SQL, LOW_SQL, POINT_ORDER_SQL
from fleetlog_core.warehouse.port import Answer, Bind, Statement, Warehouse
from fleetlog_core.warehouse.schema import SUPERSEDED, KeyKind
from fleetlog_proto.v1 import event_pb2

from fleetlog_ingest.run_ids import AMONG_IDS

_RUN = """
SELECT experiment, name, user, toUnixTimestamp64Milli(start_time) AS started, parent_run_id, deleted, superseded_by
FROM runs FINAL WHERE namespace = {namespace:String} AND run_id = unhex({run:String}) AND experiment IN (
    SELECT experiment FROM run_homes WHERE namespace = {namespace:String} AND run_id = unhex({run:String}))
"""
_SEGMENTS = """
SELECT source_run_id, max_step, next_offset FROM branch_segments FINAL
WHERE namespace = {namespace:String} AND run_id = unhex({run:String}) ORDER BY source_run_id
"""
_LAST = """
SELECT max(last) AS last, count() AS found FROM run_series
WHERE namespace = {namespace:String} AND run_id = unhex({run:String})
"""
_ATTRS = f"""
SELECT kind, key, str, type FROM run_attrs FINAL
WHERE namespace = {{namespace:String}} AND run_id = unhex({{run:String}}) AND removed = 0
    AND kind IN ({KeyKind.PARAM}, {KeyKind.TAG}) ORDER BY kind, key
"""
_NUMBER = "NOT isNaN(value)"
_SERIES = f"""
SELECT key, min({POINT_ORDER_SQL}) AS first, max({POINT_ORDER_SQL}) AS last, minIf({LOW_SQL}, {_NUMBER}) AS low,
    maxIf({HIGH_SQL}, {_NUMBER}) AS high, count() AS points, countIf(isNaN(value)) AS nans,
    sumIf(value, {_NUMBER}) AS total, sumIf(value * value, {_NUMBER}) AS squares
FROM points WHERE namespace = {{namespace:String}} AND run_id {AMONG_IDS} AND ({{}}) GROUP BY key ORDER BY key
"""


@dataclass(frozen=True, slots=True)
class SourceRun:
    """A run as a branch of it begins. `start_time` is Unix milliseconds."""

    experiment: int
    name: str
    user: str
    start_time: int
    parent_run_id: bytes
    visibility: int
    """As `runs.deleted` has it."""
    superseded_by: bytes

    @property
    def is_superseded(self) -> bool:
        """True if it was rewound, deleted afterwards or not."""
        return self.visibility == SUPERSEDED or any(self.superseded_by)


@dataclass(frozen=True, slots=True)
class Attrs:
    """Params and tags of a run."""

    params: list[event_pb2.Param]
    tags: dict[str, str]


def source_run(warehouse: Warehouse, namespace: str, run_id: bytes) -> SourceRun | None:
    """None when the namespace has no such run (yet)."""
    rows = warehouse.select(Statement(_RUN, _binds(namespace, run_id)))
    if rows.rows == 0:
        return None
    experiment, started, deleted = (int(rows.array(name)[0]) for name in ("experiment", "started", "deleted"))
    parent, superseded_by = (rows.array(name)[0].tobytes() for name in ("parent_run_id", "superseded_by"))
    return SourceRun(
        experiment, rows.texts("name")[0], rows.texts("user")[0], started,
        parent if any(parent) else b"", deleted, superseded_by,
    )  # fmt: skip


def segments_of(warehouse: Warehouse, namespace: str, run_id: bytes) -> list[event_pb2.Segment]:
    """Points of other runs that the run has."""
    rows = warehouse.select(Statement(_SEGMENTS, _binds(namespace, run_id)))
    if rows.rows == 0:
        return []
    columns = zip(
        rows.array("source_run_id"), *(rows.array(n).tolist() for n in ("max_step", "next_offset")), strict=True
    )
    return [event_pb2.Segment(run_id=source.tobytes(), step=step, next_offset=end) for source, step, end in columns]


def last_step(warehouse: Warehouse, namespace: str, run_id: bytes) -> int | None:
    """The highest step of all metrics of the run, those of other runs that it has too; None when there is none."""
    rows = warehouse.select(Statement(_LAST, _binds(namespace, run_id)))
    if rows.rows == 0 or int(rows.array("found")[0]) == 0:
        return None
    return unpack_point(rows.array("last")[0].tobytes())[0]


def attrs_of(warehouse: Warehouse, namespace: str, run_id: bytes) -> Attrs:
    """Params and tags that the run has."""
    rows = warehouse.select(Statement(_ATTRS, _binds(namespace, run_id)))
    found = Attrs([], {})
    if rows.rows == 0:
        return found
    kinds, types = rows.array("kind").tolist(), rows.array("type").tolist()
    for kind, key, text, type_ in zip(kinds, rows.texts("key"), rows.texts("str"), types, strict=True):
        if kind == KeyKind.PARAM:
            found.params.append(param_of(key, text, type_))
        else:
            found.tags[key] = text
    return found


def inherited_series(
    warehouse: Warehouse, namespace: str, segments: Sequence[event_pb2.Segment]
) -> list[event_pb2.InheritedSeries]:
    """Summaries of the points of some segments, by key."""
    if not segments:
        return []
    binds: dict[str, Bind] = {"namespace": namespace, "ids": [segment.run_id.hex() for segment in segments]}
    arms = []
    for place, segment in enumerate(segments):
        binds |= {f"run{place}": segment.run_id.hex(), f"step{place}": segment.step, f"off{place}": segment.next_offset}
        arms.append(
            f"run_id = toFixedString(unhex({{run{place}:String}}), {ID_BYTES}) AND step <= {{step{place}:Int64}}"
            f" AND off < {{off{place}:Int64}}"
        )
    rows = warehouse.select(
        Statement(_SERIES.replace("({})", f"({' OR '.join(f'({arm})' for arm in arms)})"), binds, wide=True)
    )
    return [_series_of(rows, place) for place in range(rows.rows)]


def _series_of(rows: Answer, place: int) -> event_pb2.InheritedSeries:
    ends = [unpack_point(rows.array(name)[place].tobytes()) for name in ("first", "last")]
    first, last = (event_pb2.MetricPoint(step=step, time_millis=time, value=value) for step, time, value in ends)
    found = event_pb2.InheritedSeries(
        key=rows.texts("key")[place], first=first, last=last,
        points=int(rows.array("points")[place]), nan_points=int(rows.array("nans")[place]),
        total=float(rows.array("total")[place]), squares=float(rows.array("squares")[place]),
    )  # fmt: skip
    if found.points > found.nan_points:
        found.min, found.min_step = unpack_low(rows.array("low")[place].tobytes())
        found.max, found.max_step = unpack_high(rows.array("high")[place].tobytes())
    return found


def _binds(namespace: str, run_id: bytes) -> dict[str, Bind]:
    return {"namespace": namespace, "run": run_id.hex()}
