"""Rows of `runs` as messages."""

from __future__ import annotations

from collections.abc import Iterable

from fleetlog_core.warehouse.port import Answer
from fleetlog_core.warehouse.schema import PURGED
from fleetlog_proto.v1 import run_pb2

from fleetlog_query.warehouse.rows import rows_of

_NO_PARENT = bytes(16)
RUN_COLUMNS = (
    "run_id, experiment, name, user, state, toUnixTimestamp64Milli(start_time) AS start_millis,"
    " toUnixTimestamp64Milli(end_time) AS end_millis, parent_run_id, deleted"
)
"""Columns that `runs_of` takes, as a SELECT list over `runs`."""

BRANCH_COLUMNS = "source_run_id, source_step, root_run_id, branch, superseded_by"
"""Where a run stands among its branches: more columns, for `runs_of`."""
DELETE_COLUMN = "toUnixTimestamp64Milli(delete_time) AS delete_millis"
"""When a run was deleted: one more column that `put_delete_times` takes, of `runs` as it is now."""


def runs_of(answer: Answer) -> list[run_pb2.Run]:
    """The runs of an answer with RUN_COLUMNS, and maybe BRANCH_COLUMNS, in its order; without what they have by key."""
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
    runs = [
        run_pb2.Run(
            run_id=run_id.hex(),
            experiment_id=experiment,
            name=name,
            user=user,
            state=state,
            start_time_millis=start,
            end_time_millis=end or None,
            parent_run_id="" if parent == _NO_PARENT else parent.hex(),
            deleted=deleted in (1, PURGED),
        )
        for run_id, experiment, state, start, end, parent, deleted, name, user in rows
    ]
    _put_branches(answer, runs)
    return runs


def _put_branches(answer: Answer, runs: Iterable[run_pb2.Run]) -> None:
    """Put where they stand among their branches into the runs of an answer, in its order, if it has BRANCH_COLUMNS."""
    if "source_run_id" not in answer.columns:
        return
    rows = rows_of(answer, "source_run_id", "source_step", "root_run_id", "branch", "superseded_by")
    for run, (source, step, root, branch, superseded_by) in zip(runs, rows, strict=True):
        if source != _NO_PARENT:
            run.forked_from.run_id, run.forked_from.step = source.hex(), step
        if root != _NO_PARENT:
            run.root_run_id, run.branch = root.hex(), branch
        if superseded_by != _NO_PARENT:
            run.superseded_by = superseded_by.hex()


def put_delete_times(answer: Answer, runs: Iterable[run_pb2.Run]) -> None:
    """Put when they were deleted into the runs of an answer with DELETE_COLUMN, in its order."""
    for run, millis in zip(runs, answer.array("delete_millis").tolist(), strict=True):
        if run.deleted and millis:
            run.delete_time_millis = millis
