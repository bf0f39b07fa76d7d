"""Tables of runs that were made elsewhere: their columns by name, and ids that are the same each time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fleetlog_core.errors import shown
from fleetlog_core.ids import ID_BYTES, new_run_id, new_run_ids
from fleetlog_core.times import to_millis
from fleetlog_proto.v1 import event_pb2

from fleetlog._imports.source_ids import SOURCE_ID, SOURCE_PARENT, own_id, run_id_of
from fleetlog._imports.tables import Table, columns_of

_NAMES = {
    "run_id": "run_id", "id": "run_id", "name": "name", "run_name": "name", "user": "user", "user_id": "user",
    "state": "state", "status": "state", "start_time": "start_time", "end_time": "end_time",
    "parent_run_id": "parent_run_id", "parent_id": "parent_run_id", "deleted": "deleted",
}  # fmt: skip
_INSTEAD = {"name": "mlflow.runName", "user": "mlflow.user", "parent_run_id": "mlflow.parentRunId"}
"""Tags in which MLflow keeps what is a column here."""
_PASSED_OVER = {"experiment", "experiment_id", "artifact_uri", "lifecycle_stage", "duration"}
_INDEX = re.compile(r"|Unnamed: \d+|__index_level_\d+__")
"""What pandas calls an index that it wrote beside the columns."""
_STATES = {
    "RUNNING": "RUNNING", "SCHEDULED": "RUNNING", "FINISHED": "FINISHED", "FAILED": "FAILED", "CRASHED": "FAILED",
    "KILLED": "KILLED", "LOST": "LOST",
}  # fmt: skip


class RunTable:
    """The columns of a table of runs, by what they are.

    Columns: params.KEY, metrics.KEY, tags.KEY, steps.KEY and times.KEY (of the metric); run_id, name, user, state,
    start_time, end_time and parent_run_id, or as MLflow's search_runs names them. ValueError names a column that is
    none of these, or a value that can't be.
    """

    def __init__(self, table: Table) -> None:
        self.params: dict[str, Sequence[Any]] = {}
        self.tags: dict[str, Sequence[Any]] = {}
        self.metrics: dict[str, Sequence[Any]] = {}
        self.steps: dict[str, Sequence[Any]] = {}
        self.times: dict[str, Sequence[Any]] = {}
        columns = columns_of(table)
        attributes = self._sort(columns)
        self.count = len(next(iter(columns.values()), ()))
        for name, key in _INSTEAD.items():
            if name not in attributes and key in self.tags:
                attributes[name] = self.tags[key]
        self.names: Sequence[Any] | None = attributes.get("name")
        self.users: Sequence[Any] | None = attributes.get("user")
        if any(attributes.get("deleted", ())):
            raise ValueError("deleted: a run is deleted where it comes from; leave such rows out")
        sources = attributes.get("run_id")
        self.starts = self._starts(attributes.get("start_time"), sources)
        self.ends = self._times("end_time", attributes.get("end_time"))
        self.states = self._states(attributes.get("state"))
        self.ids = self._ids(sources)
        self.parents = self._parents(attributes.get("parent_run_id"), sources)

    def _sort(self, columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
        points = {"metrics": self.metrics, "steps": self.steps, "times": self.times}
        kinds = {"params": self.params, "tags": self.tags, **points}
        attributes: dict[str, Sequence[Any]] = {}
        for column, values in columns.items():
            kind, _, key = column.partition(".")
            name = key if kind in ("attributes", "attribute", "attr", "run") and key else column
            if kind in kinds and key:
                kinds[kind][key] = values
            elif name in _NAMES:
                attributes[_NAMES[name]] = values
            elif name not in _PASSED_OVER and not _INDEX.fullmatch(name):
                raise ValueError(
                    f"column {shown(column)}: it is none of {', '.join(dict.fromkeys(_NAMES.values()))}; name it"
                    f" params.{column}, metrics.{column} or tags.{column}"
                )
        for kind, given in (("steps", self.steps), ("times", self.times)):
            if missing := given.keys() - self.metrics.keys():
                raise ValueError(f"column {kind}.{missing.pop()}: there is no such metric")
        return attributes

    def _times(self, column: str, values: Sequence[Any] | None) -> list[int]:
        """Unix milliseconds, 0 where there is none."""
        if values is None:
            return [0] * self.count
        return self._each(column, values, lambda value: 0 if value is None else to_millis(value))

    def _starts(self, values: Sequence[Any] | None, sources: Sequence[Any] | None) -> list[int]:
        """Starts; where there is none, what the run's id says, or else now."""
        now = time.time_ns() // 1_000_000
        starts = self._times("start_time", values)
        if all(starts):
            return starts
        own = [None] * self.count if sources is None else [own_id(source) for source in sources]
        return [
            start or (now if run_id is None else int.from_bytes(run_id[:6], "big"))
            for start, run_id in zip(starts, own, strict=True)
        ]

    def _states(self, values: Sequence[Any] | None) -> list[int]:
        """Where there is none the run has finished."""

        def state(value: object) -> int:
            name = _STATES.get(str("FINISHED" if value is None else value).upper())
            if name is None:
                raise ValueError(f"{shown(str(value))} is none of {', '.join(_STATES)}")
            return event_pb2.RunState.Value(f"RUN_STATE_{name}")

        found = self._each("state", [None] * self.count if values is None else values, state)
        for place, end in enumerate(self.ends):
            if found[place] == event_pb2.RUN_STATE_RUNNING and end:
                self.ends[place] = 0
        return found

    def _each(self, column: str, values: Sequence[Any], convert: Callable[[Any], int]) -> list[int]:
        if hasattr(values, "dtype"):
            values = _plain(values)
        found = []
        for place, value in enumerate(values):
            try:
                found.append(convert(value))
            except (ValueError, TypeError, OverflowError) as error:
                raise ValueError(f"{column} of row {place + 1}: {error}") from None
        return found

    def _ids(self, sources: Sequence[Any] | None) -> list[bytes]:
        if sources is None:
            return new_run_ids(self.starts)
        found, theirs = [], [None] * self.count
        for place, source in enumerate(sources):
            if source is None:
                found.append(new_run_id(self.starts[place]))
                continue
            if own_id(source) is None:
                theirs[place] = source
            found.append(run_id_of(source, self.starts[place]))
        if any(source is not None for source in theirs):
            self.tags.setdefault(SOURCE_ID, theirs)
        if len(set(found)) < len(found):
            raise ValueError("run_id: an id stands twice; give each run once")
        return found

    def _parents(self, values: Sequence[Any] | None, sources: Sequence[Any] | None) -> list[bytes]:
        """16 bytes each, zeros for none. A parent with an id that is none of ours is looked for in this table."""
        none = bytes(ID_BYTES)
        if values is None:
            return [none] * self.count
        by_source = {} if sources is None else {str(one): self.ids[place] for place, one in enumerate(sources)}
        theirs: list[Any] = [None] * self.count
        found = []
        for place, value in enumerate(values):
            parent = none if value is None else by_source.get(str(value)) or own_id(value)
            if parent is None:
                theirs[place] = value
            found.append(parent or none)
        if any(source is not None for source in theirs):
            self.tags.setdefault(SOURCE_PARENT, theirs)
        return found


def _plain(values: Any) -> list[Any]:
    """A numpy array as Python's own values; a time stays what it is, None for no time."""
    found: list[Any] = (values.astype("datetime64[us]") if values.dtype.kind == "M" else values).tolist()
    return found
