"""What start_run's arguments mean: a writer with its first event."""

from __future__ import annotations

import getpass
import time
from collections.abc import Mapping
from datetime import datetime

from fleetlog_core.ids import new_random_id, new_run_id, parse_id
from fleetlog_core.rules.events import check_event
from fleetlog_core.rules.names import check_experiment_name, check_namespace
from fleetlog_proto.v1 import event_pb2

from fleetlog.connection import resolve_namespace
from fleetlog.outbox import Writer
from fleetlog.params import to_params


def started_writer(
    experiment: str,
    name: str,
    params: Mapping[str, object],
    tags: Mapping[str, object],
    parent: str | None,
    run_id: str | None,
    resume: bool,
    rank: int | None,
    user: str | None,
    start_time: datetime | float | None,
    namespace: str | None,
    writer_id: str | None,
) -> Writer:
    """Check everything by the server's own rules. InvalidArgument, ValueError."""
    space = check_namespace(resolve_namespace(namespace))
    check_experiment_name(experiment, "experiment")
    if resume and run_id is None:
        raise ValueError("resume=True goes on with a run: give its run_id")
    if isinstance(start_time, datetime):
        start = int(start_time.timestamp() * 1000)
    else:
        start = time.time_ns() // 1_000_000 if start_time is None else int(start_time)
    opening = event_pb2.RUN_OPENING_CREATE
    if resume:
        opening = event_pb2.RUN_OPENING_RESUME
    elif run_id is not None and writer_id is None:
        opening = event_pb2.RUN_OPENING_JOIN
    started = event_pb2.RunStarted(
        name=name,
        user=_user() if user is None else user,
        start_time_millis=start,
        parent_run_id=b"" if parent is None else parse_id(parent, "parent"),
        params=to_params(params),
        tags={str(key): str(value) for key, value in tags.items()},
        opening=opening,
    )
    check_event(event_pb2.Event(run_started=started), "start_run")
    return Writer(
        namespace=space,
        # The id's time is the start, so that ids and starts are in one order for runs of the past too.
        run_id=new_run_id(start) if run_id is None else parse_id(run_id),
        writer_id=new_random_id() if writer_id is None else parse_id(writer_id, "writer_id"),
        rank=rank,
        experiment=experiment,
        started=started,
    )


def _user() -> str:
    try:
        return getpass.getuser()[:200]
    except (KeyError, OSError, ImportError):
        return ""
