"""What a run records by itself, bound to the run: how it reaches the outbox, and which process tells the inputs.

Of several processes of one run each records its output and its machine. The inputs are told by one: the process that
made the run, or the first that joined it; never by a rank above 0.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Any

from fleetlog_core.rules.events import check_event
from fleetlog_proto.v1 import event_pb2, query_pb2

from fleetlog._capture import recorder
from fleetlog._capture.launcher import launched
from fleetlog._capture.recording import Recording, console_folder
from fleetlog._capture.switches import Switches
from fleetlog._events.items import Fact, Marker, Row
from fleetlog._runs.open_run import OpenRun
from fleetlog._values.params import to_tags

JOIN_SECONDS = 10.0
"""Longest wait for the server's word whether a run that is joined was there before."""


def rank_told(on: Switches) -> int | None:
    """The rank that a launcher gave this process."""
    found = launched() if "rank" in on else None
    return None if found is None else found.rank


def begin_capture(run: OpenRun, on: Switches) -> None:
    """Record what is switched on, until the run ends. Never raises."""
    if not on.names - {"rank"}:
        return
    folder = console_folder(run.writer.rank, run.writer.writer_id)
    run.recording = Recording(RunSink(run), on, folder, lambda: _tells_inputs(run, on), time.monotonic())
    recorder.begin(run.recording)


def _tells_inputs(run: OpenRun, on: Switches) -> bool:
    """True if the inputs of the run are this process's to tell. FleetlogError."""
    writer = run.writer
    if not on.names - {"rank", "console", "system"} or writer.started is None:
        return False
    if writer.started.opening == event_pb2.RUN_OPENING_CREATE:
        return True
    if writer.rank:
        return False
    if writer.started.opening != event_pb2.RUN_OPENING_JOIN or run.delivery.offline:
        return True
    # The start of a run is its first opening's: when it is this one's, nobody was there before.
    marker = Marker()
    run.delivery.outbox.put(marker)
    if not marker.reached.wait(JOIN_SECONDS):
        return True
    connection = run.delivery.connection
    request = query_pb2.GetRunsRequest(
        namespace=writer.namespace, run_ids=[writer.run_id.hex()], read_mask=["attributes"],
        at_least=connection.position(),
    )  # fmt: skip
    answer = connection.call(connection.query.GetRuns, request)
    return all(one.start_time_millis == writer.started.start_time_millis for one in answer.runs)


class RunSink:
    """A run, as what is recorded reaches it."""

    def __init__(self, run: OpenRun) -> None:
        self._run = run

    @property
    def run_id(self) -> bytes:
        """The run's id."""
        return self._run.writer.run_id

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags that the run was not given by its user."""
        started = self._run.writer.started
        given = {} if started is None else started.tags
        found, _ = to_tags({key: text for key, text in tags.items() if key not in given})
        self._put(tags_set=event_pb2.TagsSet(tags=dict(found)))

    def keep_file(self, path: str, content: bytes) -> None:
        """Keep a file of up to 1 MiB; under the same path the last one stays."""
        digest = hashlib.sha256(content).digest()
        self._put(
            artifact_logged=event_pb2.ArtifactLogged(path=path, size_bytes=len(content), sha256=digest, content=content)
        )

    def remove_file(self, path: str) -> None:
        """Remove a file."""
        self._put(artifacts_deleted=event_pb2.ArtifactsDeleted(path=path))

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Log a step that is none of the training's."""
        run = self._run
        row = Row(run.writer, tuple(metrics), list(metrics.values()), step, run.clock.now_millis())
        if not run.delivery.outbox.put(row):
            run.delivery.account.full(len(metrics))

    def lose(self, reason: str) -> None:
        """Have the run told that something of it is not recorded."""
        self._run.delivery.outbox.lose(self._run.writer, reason, events=1)

    def _put(self, **payload: Any) -> None:
        """Put an event. FleetlogError: it can't be one."""
        event = event_pb2.Event(observe_time_millis=self._run.clock.now_millis(), **payload)
        check_event(event, "event")
        self._run.delivery.outbox.put(Fact(self._run.writer, event, 600 + 2 * event.ByteSize()))
