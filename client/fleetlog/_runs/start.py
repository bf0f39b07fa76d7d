"""Starting a run: its arguments, checked, as a writer with its first event."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from fleetlog_core.errors import InvalidArgument
from fleetlog_core.ids import KEY_TAG, keyed_run_id, new_random_id, new_run_id
from fleetlog_core.rules.events import check_event
from fleetlog_core.rules.names import check_experiment_name, check_label, check_namespace
from fleetlog_proto.v1 import event_pb2

from fleetlog._capture.switches import NOTHING, Capture, switches
from fleetlog._delivery.delivery import Delivery
from fleetlog._delivery.registry import delivery_to
from fleetlog._events.items import Writer
from fleetlog._runs.branching import Branch, branch_point, current_branch, made_branch
from fleetlog._runs.last_steps import last_step
from fleetlog._runs.run import Run
from fleetlog._runs.run_capture import begin_capture, rank_told
from fleetlog._runs.start_arguments import id_of, rank_of, text_of
from fleetlog._transport.connection import resolve_namespace
from fleetlog._values.arguments import flag, one_text
from fleetlog._values.columns import millis, pieces
from fleetlog._values.params import to_params, to_tags
from fleetlog._values.user import current_user
from fleetlog._values.values import LeftOut, Unusable
from fleetlog._views.views import RunView
from fleetlog.errors import FleetlogError, is_verdict

START_SECONDS = 5.0
"""Longest wait for a server, at the start, for each thing that is asked of it."""
KEY_CHARACTERS = 500
Item = TypeVar("Item")


def start_run(
    experiment: str | None = "Default",
    name: str | None = "",
    *,
    params: Mapping[str, object] | None = None,
    tags: Mapping[str, object] | None = None,
    parent: Run | RunView | UUID | str | None = None,
    run_id: UUID | str | None = None,
    key: str | None = None,
    resume: bool | Run | RunView | UUID | str = False,
    fork_from: tuple[Run | RunView | UUID | str, int] | None = None,
    rewind_to_step: int | None = None,
    rank: int | str | None = None,
    user: str | None = None,
    start_time: datetime | float | str | None = None,
    target: str | None = None,
    namespace: str | None = None,
    writer_id: UUID | str | None = None,
    capture: Capture | None = None,
) -> Run:
    """Start a run, join one (run_id=… or key=…), go on with one that ended (with resume=True), or from a step of one.

    Returns at once when the experiment is known to this process; else it asks the server for up to five seconds. A
    server that is not there is warned about, and events wait for it; with FLEETLOG_MODE=offline none is tried, and
    `fleetlog sync` delivers the run. In a run that was there before, steps that are
    not given go on behind its last one: the server is asked for that, too.

    Args:
        experiment: Name of the experiment, which is made when it is not there; None = "Default".
        name: Display name, up to 500 characters; "" = the key, or else the id.
        params: Typed inputs, as in Run.log_params. An item that can't be one is counted and warned about, the others
            are kept.
        tags: As in Run.set_tags; bad items as above.
        parent: The run that this one is part of: a Run, a RunView or an id.
        run_id: Id of a run to join, 32 hexadecimal digits or a UUID; it may be new.
        key: Name of the run in your own terms, such as a job's id, 1 to 500 characters: every process that gives the
            same key in the same experiment writes to the same run, in whatever order they start. It is a tag of the
            run too, `fleetlog.key`.
        resume: Go on with the run also when it has ended: its state is running again. With `key`, a job that was
            preempted goes on with its run, and its first start makes it. An id here is as run_id with True.
        fork_from: A run and a step of it: a new run begins, whose curves are that run's up to the step, and go on from
            there. It has the other's params and tags, and is in its experiment. See docs/branches.md.
        rewind_to_step: The run of run_id, key or resume goes on from this step of it as another branch, which takes its
            place in searches. What was logged behind the step stays, on the branch that is left. See docs/branches.md.
        rank: Place of this process among others, from 0; a text as RANK is in the environment will do. None = as
            torchrun, MPI or SLURM say, or else none.
        user: Who started it; None = the user of this process.
        start_time: A datetime, seconds or milliseconds since 1970, or ISO 8601 (docs/times.md); None = now.
        target: Address of the server, host:port, or fleetlogs://host:port for TLS; None = $FLEETLOG_TARGET, or else
            localhost:7460.
        namespace: None = $FLEETLOG_NAMESPACE, or else "default".
        writer_id: 32 hexadecimal digits, for runs whose id is given: makes an import repeatable, as the same writer
            sending the same events again changes nothing. Other events under it are not taken, which the run's
            problems and `run.flush(level="applied")` tell (SEQUENCE_REUSED). Nothing is recorded beside them.
        capture: What the run records by itself (docs/capture.md): True, False, names such as ["git", "console"], or
            {"console": False} for all but that; None = $FLEETLOG_CAPTURE, or else everything.

    Raises:
        InvalidArgument: An argument can't be meant; the message names it.
        FleetlogError: The server refuses the run, or is not there to make a branch.

    Examples:
        >>> run = fleetlog.start_run("docs", key="slurm-4711", resume=True, params={"lr": 2e-5})
        >>> run.log({"train_loss": 2.1})
        >>> run.finish()

        Beside the run, from its step 0 on; and then the run itself again from there:

        >>> fork = fleetlog.start_run(fork_from=(run, 0))
        >>> fork.log({"train_loss": 1.9})
        >>> fork.finish()
        >>> rewound = fleetlog.start_run(resume=run, rewind_to_step=0)
        >>> rewound.finish()

    """
    if not isinstance(resume, bool) and run_id is None and isinstance(resume, (Run, RunView, UUID, str)):
        run_id, resume = id_of("resume", resume).hex(), True
    inputs = Inputs(params, tags)
    on = switches(capture)
    if writer_id is not None:
        on = NOTHING
    if rank is None:
        rank = rank_told(on)
    space = resolve_namespace(text_of("namespace", namespace, ""), target)
    writer = started_writer(
        experiment, name, inputs, parent, run_id, key, resume, rank, user, start_time, space, writer_id
    )
    delivery = delivery_to(target)
    joins = run_id is not None or key is not None
    point = branch_point(fork_from, rewind_to_step, writer.run_id if joins else None)
    if point is not None:
        writer = _on_branch(writer, made_branch(delivery, writer.namespace, point, _start_millis(start_time)))
    elif not delivery.offline:
        try:
            writer.experiment_id = delivery.resolve(writer.namespace, writer.experiment, START_SECONDS)
        except FleetlogError as error:
            if is_verdict(error):
                raise
            delivery.warn("start", f"run {writer.run_id.hex()} goes on without a server, its events wait: {error}")
    deadline = time.monotonic() + START_SECONDS
    follows = joins and point is None and writer_id is None and writer.experiment_id is not None
    if follows:
        _join_current(delivery, writer)
    run = Run(writer, target)
    inputs.say_the_rest(run)
    if point is not None:
        run._go_on_behind(point.step)
    elif follows:
        run._go_on_behind(last_step(delivery, writer, max(0.1, deadline - time.monotonic())))
    begin_capture(run._open, on)
    return run


def _on_branch(writer: Writer, branch: Branch) -> Writer:
    """The writer, to join a branch instead."""
    started = writer.started
    if started is not None:
        started.opening = event_pb2.RUN_OPENING_JOIN
    return replace(
        writer, run_id=branch.run_id, experiment=branch.experiment, experiment_id=branch.experiment_id
    )  # fmt: skip


def _join_current(delivery: Delivery, writer: Writer) -> None:
    """A run that was rewound goes on as another branch: join that one. Without an answer it is the run as named."""
    try:
        writer.run_id = current_branch(delivery, writer.namespace, writer.run_id, START_SECONDS) or writer.run_id
    except FleetlogError as error:
        delivery.warn("branch", f"whether run {writer.run_id.hex()} was rewound is not known: {error}")


def started_writer(
    experiment: object,
    name: object,
    inputs: Inputs,
    parent: object,
    run_id: object,
    key: object,
    resume: object,
    rank: object,
    user: object,
    start_time: object,
    namespace: str,
    writer_id: object,
) -> Writer:
    """Check everything by the server's own rules. InvalidArgument, ValueError."""
    space = check_namespace(namespace)
    experiment_name = text_of("experiment", experiment, "Default")
    check_experiment_name(experiment_name, "experiment")
    known = _known_id(space, experiment_name, run_id, key)
    if flag("resume", resume) and known is None:
        raise ValueError("resume=True goes on with a run: give its run_id or its key")
    opening = event_pb2.RUN_OPENING_CREATE
    if resume:
        opening = event_pb2.RUN_OPENING_RESUME
    elif known is not None and writer_id is None:
        opening = event_pb2.RUN_OPENING_JOIN
    tags = dict(inputs.tags)
    if isinstance(key, str):
        tags.setdefault(KEY_TAG, key)
    started = event_pb2.RunStarted(
        name=text_of("name", name, "") or (key if isinstance(key, str) else ""),
        user=current_user() if user is None else text_of("user", user, ""),
        start_time_millis=_start_millis(start_time),
        parent_run_id=b"" if parent is None else id_of("parent", parent),
        params=inputs.params,
        tags=tags,
        opening=opening,
        # What is imported again and again under one id is nobody's work.
        heartbeats=writer_id is None,
    )
    check_event(event_pb2.Event(run_started=started), "start_run")
    return Writer(
        namespace=space,
        # The id's time is the start, so that ids and starts are in one order for runs of the past too.
        run_id=new_run_id(started.start_time_millis) if known is None else known,
        writer_id=new_random_id() if writer_id is None else id_of("writer_id", writer_id),
        rank=rank_of(rank),
        is_given=writer_id is not None,
        experiment=experiment_name,
        started=started,
    )


def _known_id(namespace: str, experiment: str, run_id: object, key: object) -> bytes | None:
    """The id of the run that was named; None for a new one. InvalidArgument."""
    if key is None:
        return None if run_id is None else id_of("run_id", run_id)
    if run_id is not None:
        raise InvalidArgument.of_field("ARGUMENT_INVALID", "key", "give one of run_id and key: both name the run")
    word = one_text("key", key)
    if not word:
        raise InvalidArgument.of_field("ARGUMENT_INVALID", "key", "'' names no run; give 1 to 500 characters, or None")
    check_label(word, "key", KEY_CHARACTERS)
    return keyed_run_id(namespace, experiment, word)


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
        run._say_inputs(self._more_params, self._more_tags)
        run._left_out("params", self._bad_params)
        run._left_out("tags", self._bad_tags)


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
