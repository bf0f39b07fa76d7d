"""Writers of this process to runs of one namespace: one to each run, over the process's delivery to the server.

A run that was made here is opened with CREATE; one that was there before with ANNOTATE, which leaves its state.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from fleetlog_core.ids import new_random_id, new_run_id
from fleetlog_core.rules.events import check_event
from fleetlog_proto.v1 import (
    event_pb2,
    query_pb2,
    run_pb2,
)

from fleetlog._calls.base import TIMEOUT_SECONDS
from fleetlog._events.items import Row, Writer
from fleetlog._runs import process_exit
from fleetlog._values.arguments import MODEL_PREFIX
from fleetlog.errors import NotFound
from fleetlog.mlflow_plugin.errors import missing, translated
from fleetlog.mlflow_plugin.ledger import WrittenRun
from fleetlog.mlflow_plugin.model_writers import ModelWriters
from fleetlog.mlflow_plugin.overlay import MAX_ROWS, OwnWrites
from fleetlog.mlflow_plugin.process_writers import covers
from fleetlog.mlflow_plugin.served import is_served
from fleetlog.mlflow_plugin.uris import Place

_RUN_ID = re.compile(r"[0-9a-f]{32}")
MAX_RUNS = 10_000
"""Maximum of runs that are remembered; beyond it the oldest is looked up again."""
MAX_OWN = 256
"""Maximum of runs of which it is remembered what was written; reads of others wait until it is applied."""


class RunWriters(ModelWriters):
    """Writers to the runs of a place. Thread-safe."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._runs: dict[str, WrittenRun] = {}
        self._with_own: deque[WrittenRun] = deque()
        process_exit.deliver_at_exit()

    def inherit(self, parent: RunWriters) -> None:
        """Know the runs that the parent of a forked child knows, which may be on their way to the server."""
        for known in list(parent._runs.values()):
            started = event_pb2.RunStarted(experiment_id=known.experiment_id, opening=event_pb2.RUN_OPENING_ANNOTATE)
            run = self._run(known.writer.run_id, started, known.experiment_id)
            run.name, run.deleted = known.name, known.deleted
            run.params.update(known.params)
            run.datasets.update(known.datasets)
            self._runs[run.run_id] = run

    def create(
        self, experiment_id: int, name: str, user: str, start_millis: int | None, parent: str, tags: Mapping[str, str]
    ) -> WrittenRun:
        """Start a new run. InvalidArgument."""
        now = time.time_ns() // 1_000_000
        started = event_pb2.RunStarted(
            experiment_id=experiment_id,
            name=name,
            user=user,
            start_time_millis=now if start_millis is None else start_millis,
            parent_run_id=bytes.fromhex(parent) if _RUN_ID.fullmatch(parent) else b"",
            tags=tags,
            opening=event_pb2.RUN_OPENING_CREATE,
            # A server of MLflow's lives longer than the processes that it makes runs for.
            heartbeats=not is_served(),
        )
        check_event(event_pb2.Event(run_started=started), "run")
        run = self._run(new_run_id(started.start_time_millis), started, experiment_id)
        run.name = name
        made = run_pb2.Run(
            run_id=run.run_id,
            experiment_id=experiment_id,
            name=name,
            user=user,
            state=event_pb2.RUN_STATE_RUNNING,
            start_time_millis=started.start_time_millis,
            parent_run_id=parent if started.parent_run_id else "",
            tags=tags,
        )
        with self._lock:
            self._remember(run, made)
            self._open(run)
        return run

    def find(self, run_id: str, *, anew: bool = False) -> WrittenRun:
        """Returns a run to write to; `anew`: as it is now. MlflowException when it is not there."""
        known = self._runs.get(run_id)
        if known is not None and not anew:
            return known
        message = self.read(run_id)
        with self._lock:
            known = self._runs.get(run_id)
            if known is None:
                started = event_pb2.RunStarted(
                    experiment_id=message.experiment_id, opening=event_pb2.RUN_OPENING_ANNOTATE
                )
                known = self._run(bytes.fromhex(run_id), started, message.experiment_id)
                self._remember(known)
            known.saw(message)
        return known

    def read(self, run_id: str) -> run_pb2.Run:
        """Returns a run with everything that this process wrote of it. MlflowException when it is not there."""
        if not isinstance(run_id, str) or not _RUN_ID.fullmatch(run_id):
            raise missing(f"Run with id={run_id} not found")
        known = self._runs.get(run_id)
        own = None if known is None else known.own
        version = 0 if own is None else own.version
        if known is not None:
            self.flush()
        connection = self.connection
        request = query_pb2.GetRunRequest(namespace=self.place.namespace, run_id=run_id)
        if own is None or own.is_empty:
            request.at_least.CopyFrom(self.position())
            own = None
        else:
            request.tell_position = True
        with translated():
            try:
                answer = connection.call(connection.query.GetRun, request, TIMEOUT_SECONDS)
            except NotFound:
                answer = query_pb2.GetRunResponse()
        found = answer.run if answer.HasField("run") else None
        if own is not None and not covers(answer.position, connection.position()):
            found = own.over(found)
        elif own is not None and own.version == version and not own.rows:
            own.clear()
        if found is None:
            raise missing(f"Run with id={run_id} not found")
        return found

    def forget(self, run_id: str) -> None:
        """The run is gone."""
        with self._lock:
            self._runs.pop(run_id, None)

    def lives(self, run: WrittenRun, *, lives: bool) -> None:
        """Tell the server from now on that the writer of a run that was made here lives, or no more."""
        started = run.writer.started
        if not lives:
            self.delivery.heartbeats.end(run.writer)
        elif started is not None and started.heartbeats:
            self.delivery.heartbeats.begin(run.writer)

    def say(self, run: WrittenRun, **payload: Any) -> None:
        """Put an event of a run. InvalidArgument before anything of it is sent."""
        event = self._event(run.writer, payload)
        if not run.is_open:
            self._open(run)
        if run.own is not None:
            run.own.put(event)
        self._put(run.writer, event)

    def author(self, owner: str) -> Writer:
        """Returns this process's writer to a run, or to a logged model when the id has its prefix. MlflowException when
        the run is not there; a logged model is not looked up."""
        if not owner.startswith(MODEL_PREFIX):
            run = self.find(owner)
            if not run.is_open:
                self._open(run)
            return run.writer
        return self.model_author(owner.removeprefix(MODEL_PREFIX))

    def put_row(self, run: WrittenRun, row: Row) -> None:
        """Put metrics of one step and time."""
        if not run.is_open:
            self._open(run)
        own = run.own
        if own is not None:
            own.rows.append(row)
            if len(own.rows) > MAX_ROWS:
                own.fold()
                run.own = None if own.too_many else own
        delivery = self.delivery
        if not delivery.outbox.put(row):
            delivery.account.full(row.points)

    def _open(self, run: WrittenRun) -> None:
        with self._lock:
            if not run.is_open:
                run.is_open = True
                self.delivery.add(run.writer)

    def _run(self, run_id: bytes, started: event_pb2.RunStarted, experiment_id: int) -> WrittenRun:
        writer = Writer(self.place.namespace, run_id, new_random_id(), None, "", started, experiment_id)
        return WrittenRun(writer, experiment_id)

    def _remember(self, run: WrittenRun, made: run_pb2.Run | None = None) -> None:
        self._runs[run.run_id] = run
        # Behind `mlflow server` others write beside it: what is read waits for the log.
        run.own = None if is_served() else OwnWrites(made)
        if run.own is not None:
            self._with_own.append(run)
        if len(self._with_own) > MAX_OWN:
            self._with_own.popleft().own = None
        if len(self._runs) > MAX_RUNS:
            del self._runs[next(iter(self._runs))]


_writers: dict[tuple[int, str | None, str], RunWriters] = {}
_lock = threading.Lock()


def writers_of(place: Place) -> RunWriters:
    """Returns the process's writers of a place; a forked child has writers of its own."""
    key = (os.getpid(), place.target, place.namespace)
    with _lock:
        found = _writers.get(key)
        if found is None:
            found = _writers[key] = RunWriters(place)
            parents = [other for (_, *of), other in _writers.items() if other is not found and tuple(of) == key[1:]]
            for parent in parents:
                found.inherit(parent)
        return found


def _forget() -> None:
    """In a forked child: the parent's lock may be held there by nobody."""
    global _lock
    _lock = threading.Lock()


_register: Callable[..., None] | None = getattr(os, "register_at_fork", None)
if _register is not None:
    _register(after_in_child=_forget)
