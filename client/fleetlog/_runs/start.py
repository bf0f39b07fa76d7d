"""Starting a run: its arguments, checked, as a writer with its first event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from fleetlog_core.errors import InvalidArgument
from fleetlog_core.ids import new_random_id, new_run_id
from fleetlog_core.rules.events import check_event
from fleetlog_core.rules.names import check_experiment_name, check_namespace
from fleetlog_proto.v1 import event_pb2

from fleetlog._delivery.registry import delivery_to
from fleetlog._events.items import Writer
from fleetlog._runs.last_steps import last_step
from fleetlog._runs.run import Run
from fleetlog._runs.start_arguments import id_of, rank_of, text_of
from fleetlog._transport.connection import resolve_namespace
from fleetlog._values.arguments import flag
from fleetlog._values.columns import millis, pieces
from fleetlog._values.params import to_params, to_tags
from fleetlog._values.user import current_user
from fleetlog._values.values import LeftOut, Unusable
from fleetlog._views.views import RunView
from fleetlog.errors import FleetlogError, is_verdict

START_SECONDS = 5.0
"""Longest wait for a server, at the start, for each thing that is asked of it."""
Item = TypeVar("Item")


def start_run(
    experiment: str | None = "Default",
    name: str | None = "",
    *,
    params: Mapping[str, object] | None = None,
    tags: Mapping[str, object] | None = None,
    parent: Run | RunView | UUID | str | None = None,
    run_id: UUID | str | None = None,
    resume: bool = False,
    rank: int | str | None = None,
    user: str | None = None,
    start_time: datetime | float | str | None = None,
    target: str | None = None,
    namespace: str | None = None,
    writer_id: UUID | str | None = None,
) -> Run:
    """Start a run, join one (run_id=…), or go on with one that ended (run_id=…, resume=True).

    Returns at once when the experiment is known to this process; else it asks the server for up to five seconds. A
    server that refuses raises FleetlogError; a server that is not there is warned about, and events wait for it. In a
    run that was there before, steps that are not given go on behind its last one: the server is asked for that, too.
    A wrong argument raises InvalidArgument, which names it. `rank` may be a text, as RANK is in the environment.
    `writer_id` (32 hexadecimal digits) makes an import repeatable: the same writer sending the same events again
    changes nothing. It is for runs whose id is given too. Other events under it are not taken, which the run's problems
    and `run.flush(level="applied")` tell (SEQUENCE_REUSED). `params` and `tags` as in Run.log_params and Run.set_tags:
    an item that can't be one is counted and warned about, the others are kept. `start_time` by fleetlog_core.times: a
    datetime, seconds or milliseconds, or ISO 8601.
    """
    inputs = Inputs(params, tags)
    writer = started_writer(
        experiment, name, inputs, parent, run_id, resume, rank, user, start_time, namespace, writer_id
    )
    delivery = delivery_to(target)
    try:
        writer.experiment_id = delivery.resolve(writer.namespace, writer.experiment, START_SECONDS)
    except FleetlogError as error:
        if is_verdict(error):
            raise
        delivery.warn("start", f"run {writer.run_id.hex()} goes on without a server, its events wait: {error}")
    run = Run(writer, target)
    inputs.say_the_rest(run)
    if run_id is not None and writer_id is None and writer.experiment_id is not None:
        run.go_on_behind(last_step(delivery, writer, START_SECONDS))
    return run


def started_writer(
    experiment: object,
    name: object,
    inputs: Inputs,
    parent: object,
    run_id: object,
    resume: object,
    rank: object,
    user: object,
    start_time: object,
    namespace: object,
    writer_id: object,
) -> Writer:
    """Check everything by the server's own rules. InvalidArgument, ValueError."""
    space = check_namespace(resolve_namespace(text_of("namespace", namespace, "")))
    experiment_name = text_of("experiment", experiment, "Default")
    check_experiment_name(experiment_name, "experiment")
    if flag("resume", resume) and run_id is None:
        raise ValueError("resume=True goes on with a run: give its run_id")
    opening = event_pb2.RUN_OPENING_CREATE
    if resume:
        opening = event_pb2.RUN_OPENING_RESUME
    elif run_id is not None and writer_id is None:
        opening = event_pb2.RUN_OPENING_JOIN
    started = event_pb2.RunStarted(
        name=text_of("name", name, ""),
        user=current_user() if user is None else text_of("user", user, ""),
        start_time_millis=_start_millis(start_time),
        parent_run_id=b"" if parent is None else id_of("parent", parent),
        params=inputs.params,
        tags=dict(inputs.tags),
        opening=opening,
    )
    check_event(event_pb2.Event(run_started=started), "start_run")
    return Writer(
        namespace=space,
        # The id's time is the start, so that ids and starts are in one order for runs of the past too.
        run_id=new_run_id(started.start_time_millis) if run_id is None else id_of("run_id", run_id),
        writer_id=new_random_id() if writer_id is None else id_of("writer_id", writer_id),
        rank=rank_of(rank),
        is_given=writer_id is not None,
        experiment=experiment_name,
        started=started,
    )


class Inputs:
    """The params and tags of a start: what the first event carries, and what is said after it.

    Unusable items are told on the run. InvalidArgument when params or tags are no mapping at all.
    """

    def __init__(self, params: object, tags: object) -> None:
        found_params, self._bad_params = _items("params", params, to_params)
        found_tags, self._bad_tags = _items("tags", tags, to_tags)
        self.params, *self._more_params = list(pieces(found_params, lambda param: param.ByteSize())) or [[]]
        self.tags, *self._more_tags = list(pieces(found_tags, lambda tag: 4 * (len(tag[0]) + len(tag[1])))) or [[]]

    def say_the_rest(self, run: Run) -> None:
        """What did not fit, and what was left out."""
        run.say_inputs(self._more_params, self._more_tags)
        run.left_out("params", self._bad_params)
        run.left_out("tags", self._bad_tags)


def _items(
    name: str, given: object, convert: Callable[[object], tuple[list[Item], list[LeftOut]]]
) -> tuple[list[Item], list[LeftOut]]:
    try:
        return ([], []) if given is None else convert(given)
    except Unusable as error:
        raise InvalidArgument.of_field(error.reason, name, f"{error}; give a dict such as {{'lr': 0.1}}") from None


def _start_millis(start_time: object) -> int:
    try:
        return millis(start_time)
    except Unusable as error:
        raise InvalidArgument.of_field(error.reason, "start_time", str(error)) from None
