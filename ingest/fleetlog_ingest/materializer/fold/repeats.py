"""Events that come again, held against what their run has: nothing of a repeat is missing there.

A sequence that is applied is passed over, and mostly it is the same event: an answer was lost, an import is run again.
Where it is another event, of a second process with the same writer id for instance, its content would be gone without
a word. What an event holds is kept in the tables anyway, so nothing has to be remembered for this: only of runs of
which events come again it is read. Times do not count, since imports that are run again have others; nor does how
points were put into events. An event that something was told of before (a conflict, too many keys) is not asked about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from fleetlog_core.warehouse.port import Answer, Bind, Statement, Warehouse
from fleetlog_core.warehouse.schema import PLACE_BITS
from fleetlog_proto.v1 import event_pb2, frame_pb2

from fleetlog_ingest.materializer.fold import params
from fleetlog_ingest.materializer.fold.decoding import Decoded
from fleetlog_ingest.materializer.fold.sequences import SequenceSet
from fleetlog_ingest.materializer.fold.state import RunContent, RunKey, WriterKey
from fleetlog_ingest.run_ids import AMONG_IDS, pieces

POINTS = 2_000_000
"""Points of the series of a batch's repeats that are read at most; of more, the repeats are taken for what they are."""

U64 = npt.NDArray[np.uint64]


def runs_with_repeats(
    records: Iterable[Decoded], writers: Mapping[WriterKey, SequenceSet]
) -> dict[RunKey, list[frame_pb2.Frame]]:
    """Frames that may hold sequences that their writers had before, by run."""
    found: dict[RunKey, list[frame_pb2.Frame]] = {}
    ends: dict[WriterKey, int] = {}
    for decoded in records:
        frame = decoded.frame
        if frame is None or not frame.events:
            continue
        run = (decoded.namespace, frame.run_id)
        writer = (*run, frame.writer_id)
        end = ends.get(writer)
        if end is None:
            applied = writers.get(writer)
            end = 0 if applied is None else applied.last
        if frame.events[0].sequence <= end:
            found.setdefault(run, []).append(frame)
        ends[writer] = max(end, frame.events[-1].sequence)
    return found


def load_content(
    warehouse: Warehouse, repeats: Mapping[RunKey, Sequence[frame_pb2.Frame]], first: int
) -> dict[RunKey, RunContent]:
    """Content of the runs' repeats that the tables have, from records before offset `first`."""
    found = {run: RunContent() for run in repeats}
    by_namespace: defaultdict[str, list[bytes]] = defaultdict(list)
    for namespace, run_id in repeats:
        by_namespace[namespace].append(run_id)
    for namespace, run_ids in by_namespace.items():
        for ids in pieces(run_ids):
            of = {run: repeats[run] for run in repeats if run[0] == namespace and run[1].hex() in set(ids)}
            _Loading(warehouse, namespace, ids, first, found).load(_Asked.of(of.values()))
    return found


@dataclass(slots=True)
class _Asked:
    """What repeats speak of."""

    metrics: set[str] = field(default_factory=set)
    low: int = 0
    high: int = 0
    has_tags: bool = False
    has_artifacts: bool = False

    @classmethod
    def of(cls, repeats: Collection[Sequence[frame_pb2.Frame]]) -> _Asked:
        asked, lows, highs = cls(), list[int](), list[int]()
        for event in (event for frames in repeats for frame in frames for event in frame.events):
            kind = event.WhichOneof("payload")
            if kind == "metrics_logged" and event.metrics_logged.step_deltas:
                steps = _steps_of(event.metrics_logged)
                lows.append(int(steps.min()))
                highs.append(int(steps.max()))
                asked.metrics.update(column.key for column in event.metrics_logged.columns)
            elif kind in ("tags_set", "run_started"):
                asked.has_tags = True
            elif kind == "artifact_logged":
                asked.has_artifacts = True
        asked.low, asked.high = min(lows, default=0), max(highs, default=0)
        return asked


class _Loading:
    """Reads of some runs of a namespace."""

    def __init__(
        self, warehouse: Warehouse, namespace: str, ids: list[str], first: int, into: dict[RunKey, RunContent]
    ) -> None:
        self._warehouse = warehouse
        self._namespace = namespace
        self._binds: dict[str, Bind] = {"namespace": namespace, "ids": ids, "first": first}
        self._first = first
        self._into = into

    def load(self, asked: _Asked) -> None:
        of = f"namespace = {{namespace:String}} AND run_id {AMONG_IDS}"
        rows = self._select(f"SELECT run_id, writer_id, sequence FROM problems WHERE {of} AND off < {{first:UInt64}}")
        writers, sequences = rows.array("writer_id"), rows.array("sequence").tolist()
        for run_id, writer_id, sequence in zip(rows.array("run_id"), writers, sequences, strict=True):
            self._of(run_id).told.add((writer_id.tobytes(), sequence))
        if asked.has_tags:
            self._binds["ver"] = self._first << PLACE_BITS
            rows = self._select(
                f"SELECT run_id, key, str FROM tag_history WHERE {of} AND removed = 0 AND ver < {{ver:UInt64}}"
            )
            for run_id, key, text in zip(rows.array("run_id"), rows.texts("key"), rows.texts("str"), strict=True):
                self._of(run_id).tags.add((key, text))
        if asked.has_artifacts:
            rows = self._select(f"SELECT run_id, path FROM artifacts WHERE {of}")
            for run_id, path in zip(rows.array("run_id"), rows.texts("path"), strict=True):
                self._of(run_id).paths.add(path)
        if asked.metrics:
            self._points(of, asked)

    def _points(self, of: str, asked: _Asked) -> None:
        self._binds |= {"keys": sorted(asked.metrics), "low": asked.low, "high": asked.high}
        rows = self._select(
            f"SELECT run_id, key, step, value FROM points WHERE {of}"
            " AND key IN (SELECT arrayJoin({keys:Array(String)}))"
            f" AND step BETWEEN {{low:Int64}} AND {{high:Int64}} AND off < {{first:UInt64}} LIMIT {POINTS + 1}"
        )
        if rows.rows > POINTS:
            for key in self._into:
                if key[0] == self._namespace:
                    self._into[key].points = None
            return
        if rows.rows == 0:
            return
        hashes = hashes_of(rows.array("step"), rows.array("value"))
        runs, keys = rows.array("run_id"), np.array(rows.texts("key"), dtype=object)
        # Rows of one series stand side by side, in each block.
        changes = np.flatnonzero((runs[1:] != runs[:-1]) | (keys[1:] != keys[:-1])) + 1
        begins = [0, *changes.tolist()]
        for begin, end in zip(begins, [*begins[1:], len(hashes)], strict=True):
            add_points(self._of(runs[begin]), str(keys[begin]), hashes[begin:end])

    def _select(self, sql: str) -> Answer:
        return self._warehouse.select(Statement(sql, self._binds))

    def _of(self, run_id: np.void) -> RunContent:
        return self._into[(self._namespace, run_id.tobytes())]


def hashes_of(steps: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> U64:
    """One number for each point, of its step and the bits of its value."""
    mixed: U64 = steps.astype(np.int64).view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed += np.ascontiguousarray(values, dtype=np.float64).view(np.uint64)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(32)
    return mixed


def _steps_of(metrics: event_pb2.MetricsLogged) -> npt.NDArray[np.int64]:
    steps: npt.NDArray[np.int64] = np.cumsum(np.array(metrics.step_deltas, dtype=np.int64))
    return steps


def add_points(content: RunContent, key: str, hashes: U64) -> None:
    """The run has these points of the metric."""
    if content.points is not None:
        content.points.setdefault(key, []).append(hashes)


def add_event(content: RunContent, event: event_pb2.Event) -> None:
    """The event was applied to the run."""
    kind = event.WhichOneof("payload")
    if kind == "metrics_logged":
        steps = _steps_of(event.metrics_logged)
        for column in event.metrics_logged.columns:
            add_points(content, column.key, hashes_of(steps, np.array(column.values, dtype=np.float64)))
    elif kind == "tags_set":
        content.tags.update(event.tags_set.tags.items())
    elif kind == "run_started":
        content.tags.update(event.run_started.tags.items())
    elif kind == "artifact_logged":
        content.paths.add(event.artifact_logged.path)


def missing_of(
    content: RunContent, event: event_pb2.Event, written: Mapping[str, str], datasets: Mapping[str, str]
) -> tuple[bool, int]:
    """Whether the run lacks something of the event, and how many points. `written`: texts of its params."""
    kind = event.WhichOneof("payload")
    if kind == "metrics_logged":
        points = _missing_points(content, event.metrics_logged)
        return points > 0, points
    if kind == "params_logged":
        return _lacks(written, params.values_of(event.params_logged.params)), 0
    if kind == "datasets_logged":
        return _lacks(datasets, params.values_of_datasets(event.datasets_logged.datasets)), 0
    if kind == "tags_set":
        return not content.tags.issuperset(event.tags_set.tags.items()), 0
    if kind == "run_started":
        started = event.run_started
        lacks = bool(started.params) and _lacks(written, params.values_of(started.params))
        return lacks or not content.tags.issuperset(started.tags.items()), 0
    if kind == "artifact_logged":
        return event.artifact_logged.path not in content.paths, 0
    return False, 0


def _lacks(kept: Mapping[str, str], asked: params.Values) -> bool:
    return any(kept.get(key) != text for key, text in zip(asked.keys, asked.texts, strict=True))


def _missing_points(content: RunContent, metrics: event_pb2.MetricsLogged) -> int:
    if content.points is None:
        return 0
    steps = _steps_of(metrics)
    missing = 0
    for column in metrics.columns:
        if len(column.values) != len(steps):
            continue
        there = content.points.get(column.key)
        if not there:
            missing += len(steps)
            continue
        hashes = hashes_of(steps, np.array(column.values, dtype=np.float64))
        missing += int((~np.isin(hashes, np.concatenate(there))).sum())
    return missing
