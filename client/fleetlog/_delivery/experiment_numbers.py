"""The numbers of experiments that this process writes to: asked for once, by name.

A run's first event has the number of its experiment. As long as that can't be had, for whatever reason, what the run's
writers put is held back in flight, and a thread asks; what others put is sent meanwhile.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from fleetlog_proto.v1 import event_pb2, ingest_pb2

from fleetlog._delivery.in_flight import InFlight
from fleetlog._events.items import Writer
from fleetlog._transport.connection import Connection
from fleetlog._transport.threads import holds, is_alive, started
from fleetlog.errors import FleetlogError, is_verdict

diagnostics = logging.getLogger("fleetlog")
DEFAULT = 0
ASK_SECONDS = (2.0, 30.0)
"""Longest wait for an answer, the first time and at most: a name that has none holds others up no longer."""
PAUSE_SECONDS = (0.1, 2.0)
Name = tuple[str, str]
"""Namespace and name of an experiment."""


class ExperimentNumbers:
    """Numbers of the experiments of one server."""

    def __init__(
        self, connection: Connection, in_flight: InFlight, warn: Callable[[str, str], None],
        found: Callable[[str, str, int], None],
    ) -> None:  # fmt: skip
        """`found` takes the namespace, the name and the number of an experiment that runs waited for."""
        self._connection = connection
        self._in_flight = in_flight
        self._warn = warn
        self._found = found
        self._known: dict[Name, int] = {}
        self._waiting: dict[Writer, event_pb2.Event] = {}
        """Writers that are held back, with their first events."""
        # Taken by itself: an exception from another thread may come amid a condition's `with`, and leave it taken.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def held_here(self) -> bool:
        """True if the calling thread is amid a change of it."""
        return holds(self._lock)

    def resolve(self, namespace: str, name: str, timeout_seconds: float) -> int:
        """The number of an experiment, which is made when it is not there. FleetlogError."""
        known = self._known.get((namespace, name))
        if known is None:
            request = ingest_pb2.CreateExperimentRequest(namespace=namespace, name=name, exist_ok=True)
            response = self._connection.call(self._connection.ingest.CreateExperiment, request, timeout_seconds)
            self._connection.saw(response.position)
            known = self._known[(namespace, name)] = response.experiment.experiment_id
        return known

    def fill_in(self, writer: Writer, event: event_pb2.Event) -> None:
        """Have the number in a writer's first event, before the event or anything behind it is sent."""
        if writer.experiment_id is not None:
            event.run_started.experiment_id = writer.experiment_id
            return
        self._in_flight.hold(writer)
        with self._lock:
            self._waiting[writer] = event
            self._changed.notify_all()

    def begin(self) -> None:
        """Start the thread, when somebody waits and it is not alive. RuntimeError: none can be started."""
        with self._lock:
            if self._waiting and not self._closed and not is_alive(self._thread):
                self._thread = started("fleetlog-experiments", self._run)

    def close(self) -> None:
        """Ask no more."""
        with self._lock:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            self._ask_for_all()
        except BaseException as error:
            # It may have come amid a call.
            self._connection.abandon(None)
            self._warn("experiments", f"asking for experiments ended by {error!r}; it begins again soon")

    def _ask_for_all(self) -> None:
        tries: dict[Name, int] = {}
        while True:
            with self._lock:
                names = self._names()
                if not names or self._closed:
                    self._thread = None
                    return
            for name in names:
                count = tries.get(name, 0)
                if self._ask(name, min(ASK_SECONDS[1], ASK_SECONDS[0] * 2**count)):
                    tries.pop(name, None)
                else:
                    tries[name] = min(count + 1, 10)
            low, high = PAUSE_SECONDS
            pause = min(high, low * 2 ** max(tries.values(), default=0))
            with self._lock:
                self._changed.wait_for(lambda: self._closed or not self._names() <= names, pause if tries else 0.0)  # noqa: B023

    def _ask(self, name: Name, timeout_seconds: float) -> bool:
        """Whether the writers of an experiment need not wait any more."""
        try:
            number = self.resolve(*name, timeout_seconds)
        except FleetlogError as error:
            if not is_verdict(error):
                self._warn("stream", f"not delivered yet, trying again: {error.message}")
                return False
            self._warn(f"experiment:{name}", f"runs of experiment {name[1]!r} go to Default: {error.message}")
            number = DEFAULT
        with self._lock:
            writers = [writer for writer in self._waiting if (writer.namespace, writer.experiment) == name]
            for writer in writers:
                writer.experiment_id = number
                self._waiting.pop(writer).run_started.experiment_id = number
        self._found(*name, number)
        for writer in writers:
            self._in_flight.release(writer)
        return True

    def _names(self) -> set[Name]:
        return {(writer.namespace, writer.experiment) for writer in self._waiting}
