"""Rows of `runs` as messages."""

from __future__ import annotations

from collections.abc import Iterable

from fleetlog_core.warehouse.port import Answer
from fleetlog_proto.v1 import run_pb2

from fleetlog_query.warehouse.rows import rows_of

_NO_PARENT = bytes(16)
RUN_COLUMNS = (
    "run_id, experiment, name, user, state, toUnixTimestamp64Milli(start_time) AS start_millis,"
    " toUnixTimestamp64Milli(end_time) AS end_millis, parent_run_id, deleted"
)
"""Columns that `runs_of` takes, as a SELECT list over `runs`."""

DELETE_COLUMN = "toUnixTimestamp64Milli(delete_time) AS delete_millis"
"""When a run was deleted: one more column that `put_delete_times` takes, of `runs` as it is now."""


def runs_of(answer: Answer) -> list[run_pb2.Run]:
    """The runs of an answer with RUN_COLUMNS, in its order; without params, tags and metrics."""
    rows = rows_of(
        answer,
        "run_id",
        "experiment",
        "state",
        "start_millis",
        "end_millis",
        "parent_run_id",
        "deleted",
        "name",
        "user",
    )
    return [
        run_pb2.Run(
            run_id=run_id.hex(),
            experiment_id=experiment,
            name=name,
            user=user,
            state=state,
            start_time_millis=start,
            end_time_millis=end or None,
            parent_run_id="" if parent == _NO_PARENT else parent.hex(),
            deleted=bool(deleted),
        )
        for run_id, experiment, state, start, end, parent, deleted, name, user in rows
    ]


def put_delete_times(answer: Answer, runs: Iterable[run_pb2.Run]) -> None:
    """Put when they were deleted into the runs of an answer with DELETE_COLUMN, in its order."""
    for run, millis in zip(runs, answer.array("delete_millis").tolist(), strict=True):
        if run.deleted and millis:
            run.delete_time_millis = millis
