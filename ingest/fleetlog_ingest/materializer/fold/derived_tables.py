"""Tables that follow others of the batch: copies by run, how runs and tags were, bounds of start times.

They are inserted by themselves (tables.EVENT_TABLES). A view's insert can be cut off from
its table's: the repeat is then either not known in the view's table, whose sums count the batch twice, or not made.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from fleetlog_core.ids import milliseconds_of
from fleetlog_core.warehouse.schema import KeyKind

from fleetlog_ingest.materializer.fold.runs import Run
from fleetlog_ingest.materializer.fold.state import RunKey
from fleetlog_ingest.materializer.fold.tables import Columns, Row, take


def run_skews(states: Iterable[tuple[RunKey, Run]]) -> list[Row]:
    """For each experiment: by how many ms a run began after its id was made at most, and before it at most."""
    bounds: dict[tuple[str, int], tuple[int, int]] = {}
    for (namespace, run_id), run in states:
        place = namespace, run.experiment
        ahead = run.start_time - milliseconds_of(run_id)
        most_ahead, most_behind = bounds.get(place, (ahead, -ahead))
        bounds[place] = max(most_ahead, ahead), max(most_behind, -ahead)
    return [(*place, *bound) for place, bound in bounds.items()]


def follow(tables: dict[str, Columns], states: Columns | None) -> None:
    """Add what has the rows of another table of the batch. `states`: every state of its runs, as rows of `runs`."""
    if states is not None:
        tables["run_history"] = _without(states, "started", "delete_time", "endings")
    if "series" in tables:
        tables["run_series"] = _without(tables["series"], "experiment")
    if "attrs" in tables:
        tables["run_attrs"] = _without(tables["attrs"], "experiment")
        if tags := _tags(tables["attrs"]):
            tables["tag_history"] = tags


def _tags(attrs: Columns) -> Columns:
    """The rows of tags as rows of `tag_history`; empty when there are none."""
    kinds, versions = attrs["kind"], attrs["ver"]
    if not isinstance(kinds, np.ndarray) or not isinstance(versions, np.ndarray):
        raise TypeError("kinds and versions are arrays")
    places = np.flatnonzero(kinds == KeyKind.TAG)
    if not len(places):
        return {}
    kept = {name: attrs[name] for name in ("namespace", "run_id", "key", "num", "str", "removed")}
    words = np.frombuffer(versions.tobytes(), dtype="<u8")[::4]
    return take({**kept, "ver": words}, places)


def _without(columns: Columns, *left_out: str) -> Columns:
    return {name: column for name, column in columns.items() if name not in left_out}
