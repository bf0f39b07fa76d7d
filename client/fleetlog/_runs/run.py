"""A run that is being written.

running ──finish()──▶ ended
   │  log, log_series, log_params, set_tags, log_input, log_artifact: put into the outbox, never raise, never wait
   └─ fork: the child becomes one more writer of the same run
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, SupportsFloat, SupportsIndex

from fleetlog_core.errors import shown
from fleetlog_core.ids import new_random_id
from fleetlog_core.rules.events import check_event
from fleetlog_proto.v1 import event_pb2

from fleetlog._delivery.delivery import Delivery
from fleetlog._delivery.diagnostics import diagnostics
from fleetlog._delivery.registry import Level, delivery_to, flush_delivery
from fleetlog._events.items import Fact, Writer
from fleetlog._runs import process_exit as exits
from fleetlog._runs.exit_codes import state_of_code
from fleetlog._runs.file_logging import FileLogger
from fleetlog._runs.guard import never_raises
from fleetlog._runs.open_run import END_STATES, EndState, OpenRun
from fleetlog._runs.point_logging import PointLogger
from fleetlog._runs.run_clock import RunClock
from fleetlog._runs.run_files import RunFiles
from fleetlog._runs.run_inputs import RunInputs
from fleetlog._runs.used_writers import warn_if_used
from fleetlog._transport.connection import connection_to
from fleetlog._transport.web_pages import run_page
from fleetlog._values.columns import millis
from fleetlog._values.values import LeftOut, Unusable, text, told
from fleetlog._views.notebook import open_run_html
from fleetlog.errors import FleetlogError

LEAVE_SECONDS = 5.0
"""Longest wait for what a run logged when an error leaves its block."""
PAGE_SECONDS = 2.0
"""Longest wait for the address of the run's page."""
_NOBODY = -1
"""No process's id: a run that came from another process is not joined yet, and not opened here."""


class Run(RunInputs, RunFiles):
    """A run that is being written. Made by fleetlog.start_run; used as a context manager it ends by itself.

    Its calls put events into a bounded buffer that is sent in the background: they cost microseconds, never raise and
    never wait for a server, but for `flush`, `finish` and files over 1 MiB. It may be used from any number of threads.
    A forked child, and a process that it was pickled to, write to it as one more writer; the process that started it
    ends it. A run that is not ended ends with its process: FINISHED, FAILED or KILLED by how that ends.

    Examples:
        >>> with fleetlog.start_run("docs", params={"lr": 2e-5}) as run:
        ...     for step in range(3):
        ...         run.log({"train_loss": 4.0 / (1 + step)}, step=step)

    """

    def __init__(self, writer: Writer, target: str | None) -> None:
        self._bind(writer, target, os.getpid())
        self._delivery.add(writer)
        exits.watch(self._open)

    def _bind(self, writer: Writer, target: str | None, pid: int) -> None:
        self._target = target
        self._writer = writer
        self._delivery: Delivery = delivery_to(target)
        self._pid = pid
        self._clock = RunClock()
        self._now = self._clock.now_millis
        self._open = OpenRun(writer, self._delivery, self._clock, pid)
        self._points = PointLogger(self._open)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process gets a run that it joins, as one more writer, with the first thing that it logs."""
        one = self._writer
        return _joined, (
            type(self), self._target, one.namespace, one.run_id, one.rank, one.experiment, one.experiment_id
        )  # fmt: skip

    def _go_on_behind(self, step: int | None) -> None:
        """Steps that are not given follow this one; None: they begin at 0."""
        if step is not None:
            self._points.next_step = max(self._points.next_step, step + 1)

    @property
    def id(self) -> str:
        """Id of the run: 32 hexadecimal digits."""
        return self._writer.run_id.hex()

    @property
    def experiment(self) -> str:
        """Name of the experiment."""
        return self._writer.experiment

    def __repr__(self) -> str:
        return f"<fleetlog.Run {self.id} in {self.experiment!r}>"

    def _repr_html_(self) -> str:
        return open_run_html(self.id, self.experiment, self._page())

    def _page(self) -> str:
        """Address of its page in the web UI; "" when nobody tells it soon."""
        if self._delivery.offline:
            return ""
        try:
            return run_page(connection_to(self._target), self._writer.namespace, self.id, PAGE_SECONDS)
        except FleetlogError:
            return ""

    def log(
        self,
        metrics: Mapping[str, object],
        step: SupportsIndex | SupportsFloat | None = None,
        time: datetime | float | str | None = None,
    ) -> None:
        """Log one value of each metric at a step.

        Costs microseconds; never raises, never waits. What is not a number is counted and warned about, and the others
        are logged.

        Args:
            metrics: Numbers by key, or what holds one: scalars and arrays of one of numpy, torch and others. The
                metrics of a dict within are logged as train/loss.
            step: A whole number, also a negative or repeated one; None = one more than the last.
            time: A datetime, seconds or milliseconds since 1970, or ISO 8601 (docs/times.md); None = now.

        Examples:
            >>> run.log({"train_loss": 2.1, "lr": 2e-5}, step=10)

        """
        try:
            if self._pid != os.getpid():
                self._rejoin()
            self._points.log(metrics, step, time)
        except Exception as error:  # training goes on whatever was logged
            self._lost("log", error, len(metrics) if isinstance(metrics, Mapping) else 1)

    @never_raises
    def log_series(self, key: str, *, steps: Any, values: Any, times: Any = None) -> None:
        """Log many points of one metric: sequences or arrays of one length, also of shape (n, 1).

        They are copied; millions at once are fine: more than the buffer holds waits for room while the server takes
        what is there, for a minute at the most, and not at all when the server is away. Never raises; what found no
        room is warned about, and the run is told (BUFFER_FULL), and so are points whose step, value or time can't be
        (STEP_INVALID, NOT_A_NUMBER, TIME_INVALID): the others are logged.

        Args:
            key: The metric's key.
            steps: Whole numbers.
            values: Numbers; NaN and infinities are kept.
            times: Datetimes, seconds or milliseconds since 1970 (docs/times.md); None = all now.

        Examples:
            >>> run.log_series("val_loss", steps=[0, 500, 999], values=[10.8, 3.9, 3.27])

        """
        try:
            if self._pid != os.getpid():
                self._rejoin()
            self._points.log_series(text(key), steps, values, times)
        except Exception as error:
            count = len(values) if hasattr(values, "__len__") and getattr(values, "shape", (1,)) != () else 1
            self._lost("log_series", error, max(count, 1))

    def _left_out(self, what: str, out: Sequence[LeftOut]) -> None:
        """Tell of items that were not logged while others of the same call were."""
        if out and self._pid != os.getpid():
            self._rejoin()
        for one in out:
            self._delivery.outbox.lose(self._writer, one.reason, events=1)
        if out:
            more = f"; and {len(out) - 5:,} more" if len(out) > 5 else ""
            shown = "; ".join(str(one) for one in out[:5])
            self._delivery.warn(f"{what}:{out[0].key}", f"run {self.id}: {what} were not logged: {shown}{more}")

    def _lost(self, what: str, error: Exception, points: int = 0) -> None:
        """Count what a call could not log, and warn of it. See guard.never_raises."""
        reason = error.reason if isinstance(error, (FleetlogError, Unusable)) else "NOT_LOGGED"
        if points:
            self._open.drop(reason, points)
        else:
            self._delivery.outbox.lose(self._writer, reason, events=1)
        said = str(error) if isinstance(error, (FleetlogError, Unusable)) else told(error)
        try:
            self._delivery.warn(f"{what}:{reason}", f"run {self.id}: {what} could not log: {said}")
        except Exception:
            # A handler of the user's own logging raises; the loss is counted on the run by now.
            return

    def _files(self) -> FileLogger:
        if self._pid != os.getpid():
            self._rejoin()
        return FileLogger(self._delivery, self._writer, self._put, self._now)

    def _say(self, **payload: Any) -> None:
        if self._pid != os.getpid():
            self._rejoin()
        self._put(event_pb2.Event(observe_time_millis=self._now(), **payload))

    def _put(self, event: event_pb2.Event) -> None:
        try:
            check_event(event, "event")
        except FleetlogError as error:
            diagnostics.warning("not logged: %s", error)
            self._delivery.outbox.lose(self._writer, error.reason, events=1)
            return
        self._delivery.outbox.put(Fact(self._writer, event, 600 + 2 * event.ByteSize()))

    def _rejoin(self) -> None:
        """In a forked child: one more writer, with a delivery of its own."""
        old = self._writer
        started = event_pb2.RunStarted(opening=event_pb2.RUN_OPENING_JOIN)
        self._writer = Writer(
            old.namespace, old.run_id, new_random_id(), old.rank, old.experiment, started, old.experiment_id
        )
        self._delivery = delivery_to(self._target)
        self._delivery.add(self._writer)
        self._open = OpenRun(self._writer, self._delivery, self._clock, self._open.opened_by)
        self._points = PointLogger(self._open, self._points.next_step)
        self._pid = os.getpid()
        exits.child_writes()

    def flush(self, timeout: float = 30.0, level: Level = "durable") -> None:
        """Wait until everything this process logged to the run's server is durable, or can be read.

        Args:
            timeout: Seconds to wait at the most.
            level: "local": it is on this machine's disk, from which `fleetlog sync` delivers it whatever becomes of
                the process; "durable": it is in the server's log; "applied": searches by others find it too.

        Raises:
            DeadlineExceeded: It is not by then; it is still being sent, nothing is lost by that.
            FailedPrecondition: It can't be: "local" without a journal, anything else offline (FLEETLOG_MODE).

        Examples:
            >>> run.flush(timeout=10)

        """
        if self._pid == os.getpid():
            flush_delivery(self._delivery, timeout, level)
            if level == "applied":
                warn_if_used(self._delivery, self._writer, timeout)

    @never_raises
    def finish(
        self,
        state: EndState = "FINISHED",
        end_time: datetime | float | str | None = None,
        *,
        wait: bool = True,
        timeout: float = 60.0,
    ) -> None:
        """End the run. Never raises.

        Waits until all of it is durable, unless told not to; warns of what is not by then, which is still sent for as
        long as the process lives.

        Args:
            state: "FINISHED", "FAILED" or "KILLED".
            end_time: A datetime, seconds or milliseconds since 1970, or ISO 8601 (docs/times.md); None = now.
            wait: False returns at once.
            timeout: Seconds to wait at the most.

        Examples:
            >>> short = fleetlog.start_run("docs")
            >>> short.finish("FAILED")

        """
        if self._open.ended:
            return
        word = state.upper() if isinstance(state, str) else ""
        if word not in END_STATES:
            diagnostics.warning(
                "run %s goes on: finish(%s) ends no run, give one of %s", self.id, shown(state), ", ".join(END_STATES)
            )
            return
        if self._pid != os.getpid():
            self._rejoin()
        self._finish(word, end_time)
        if wait and not self._delivery.flush(timeout):
            pending = self._delivery.pending() or "the last events"
            diagnostics.warning("run %s: after %.0f s %s are not delivered yet", self.id, timeout, pending)

    def _finish(self, state: str, end_time: object) -> None:
        at = None
        if end_time is not None:
            try:
                at = millis(end_time)
            except Unusable as error:  # it ends now, whatever was given
                self._lost("end_time", error)
        exits.unwatch(self._open)
        self._open.end(state, at)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open.opened_by != os.getpid():
            # A forked child leaves the block: the run is its parent's to end.
            self._leave()
        elif kind is None or (isinstance(error, SystemExit) and not error.code):
            self.finish()
        elif isinstance(error, SystemExit):
            self._end_with_error(state_of_code(error.code))
        else:
            self._end_with_error("FAILED" if issubclass(kind, Exception) else "KILLED")

    def _end_with_error(self, state: EndState) -> None:
        """End it on the way out of a process that ends too, most likely: then the wait is part of that one's."""
        if self._open.ended:
            return
        self.finish(state, wait=False)
        begun = time.monotonic()
        if not self._delivery.flush(LEAVE_SECONDS):
            exits.waited_in_vain(time.monotonic() - begun)

    def _leave(self) -> None:
        if self._pid == os.getpid() and not self._delivery.flush(exits.EXIT_SECONDS):
            diagnostics.warning("run %s: %s are not delivered yet", self.id, self._delivery.pending())


def _joined(
    kind: type[Run], target: str | None, namespace: str, run_id: bytes, rank: int | None, experiment: str,
    experiment_id: int | None,
) -> Run:  # fmt: skip
    """See Run.__reduce__. As in a forked child, the run is not this process's to end."""
    run = kind.__new__(kind)
    started = event_pb2.RunStarted(opening=event_pb2.RUN_OPENING_JOIN)
    run._bind(Writer(namespace, run_id, new_random_id(), rank, experiment, started, experiment_id), target, _NOBODY)
    return run
