"""A run that is being written.

running ──finish()──▶ ended
   │  log, log_series, log_params, set_tags, log_artifact: put into the outbox, never raise, never wait
   └─ fork: the child becomes one more writer of the same run
"""

from __future__ import annotations

import atexit
import os
import time
import weakref
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fleetlog_core import limits
from fleetlog_core.errors import DeadlineExceeded, Unavailable
from fleetlog_core.ids import new_random_id
from fleetlog_core.rules.events import check_event
from fleetlog_core.rules.names import check_key
from fleetlog_proto.v1 import event_pb2

from fleetlog.artifacts import artifact_event, files_below
from fleetlog.delivery import Delivery, delivery_to, diagnostics, wait_applied
from fleetlog.errors import FleetlogError
from fleetlog.outbox import Fact, Row, Slice, Writer
from fleetlog.params import to_params

SLICE_POINTS = 100_000
_INT64 = 1 << 63
EXIT_SECONDS = 10.0
_active: weakref.WeakSet[Run] = weakref.WeakSet()


def millis(time_: datetime | float | None) -> int:
    """Unix milliseconds of a datetime, of milliseconds, or of now."""
    if time_ is None:
        return time.time_ns() // 1_000_000
    if isinstance(time_, datetime):
        return int(time_.timestamp() * 1000)
    return int(time_)


def _checked(time_millis: int) -> int:
    """The time, when it is one that the log takes."""
    if not limits.MIN_TIME_MILLIS <= time_millis <= limits.MAX_TIME_MILLIS:
        raise ValueError(f"time {time_millis} is not in Unix milliseconds from 1970 to 2255")
    return time_millis


class Run:
    """One execution. Made by fleetlog.start_run; used as a context manager it ends by itself."""

    def __init__(self, writer: Writer, target: str | None) -> None:
        self._target = target
        self._writer = writer
        self._delivery: Delivery = delivery_to(target)
        self._pid = os.getpid()
        self._keys: dict[tuple[str, ...], tuple[str, ...] | None] = {}
        self._next_step = 0
        self._ended = False
        self._delivery.add(writer)
        _active.add(self)

    @property
    def id(self) -> str:
        """32 hexadecimal digits."""
        return self._writer.run_id.hex()

    @property
    def experiment(self) -> str:
        """Name of the experiment."""
        return self._writer.experiment

    def __repr__(self) -> str:
        return f"<fleetlog.Run {self.id} in {self.experiment!r}>"

    def log(self, metrics: Mapping[str, float], step: int | None = None, time: datetime | float | None = None) -> None:
        """Log one value of each metric at a step. Without a step: one more than the last.

        Costs microseconds; never raises, never waits. What is not a number is counted and warned about.
        """
        try:
            self._log(metrics, step, time)
        except Exception as error:  # training goes on whatever was logged
            self._delivery.warn("log", f"a step could not be logged: {error!r}")

    def _log(self, metrics: Mapping[str, float], step: int | None, time_: datetime | float | None) -> None:
        if self._pid != os.getpid():
            self._rejoin()
        if step is None:
            step = self._next_step
        step = step.__index__()
        if not -_INT64 <= step < _INT64:
            raise ValueError(f"step {step} is outside -2^63 … 2^63-1")
        self._next_step = step + 1
        keys = tuple(metrics)
        known = self._keys.get(keys)
        if known is None:
            known = self._check_keys(keys)
        if known is not keys and known != keys:
            metrics = {key: metrics[key] for key in known}
            keys = known
        values: list[float] = list(metrics.values())
        for value in values:
            if type(value) is not float:
                keys, values = self._numbers(metrics)
                break
        if not keys:
            return
        row = Row(self._writer, keys, values, step, _checked(millis(time_)))
        if not self._delivery.outbox.put(row):
            self._delivery.lost(self._writer, len(keys))

    def _check_keys(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """The keys that are valid; the others are warned about. Remembered, so that a step asks once."""
        good = []
        for key in keys:
            try:
                check_key(key, "metrics")
                good.append(key)
            except (FleetlogError, TypeError, AttributeError) as error:
                self._delivery.warn("key", f"a metric was not logged: {error}")
        valid = keys if len(good) == len(keys) else tuple(good)
        if len(self._keys) < 10_000:
            self._keys[keys] = valid
        return valid

    def _numbers(self, metrics: Mapping[str, Any]) -> tuple[tuple[str, ...], list[float]]:
        keys, values = [], []
        for key, value in metrics.items():
            try:
                values.append(float(value))
                keys.append(key)
            except (TypeError, ValueError, OverflowError, RuntimeError):
                self._delivery.warn(
                    f"number:{key}", f"metric {key!r} is not a number and was not logged: {value!r:.80}"
                )
        return tuple(keys), values

    def log_series(self, key: str, *, steps: Any, values: Any, times: Any = None) -> None:
        """Log many points of one metric: sequences or arrays of one length, times in Unix milliseconds.

        They are copied; millions at once are fine.
        """
        try:
            self._log_series(key, steps, values, times)
        except Exception as error:  # training goes on whatever was logged
            self._delivery.warn("series", f"a series could not be logged: {error!r}")

    def _log_series(self, key: str, steps: Any, values: Any, times: Any) -> None:
        if self._pid != os.getpid():
            self._rejoin()
        check_key(key, "key")
        steps, values = _whole(steps), _real(values)
        times = None if times is None else _whole(times)
        count = len(values)
        if len(steps) != count or (times is not None and len(times) != count):
            raise ValueError(f"{len(steps)} steps and {count} values of {key!r}: they must be as many")
        now = millis(None)
        for first in range(0, count, SLICE_POINTS):
            last = first + SLICE_POINTS
            piece = None if times is None else times[first:last]
            item = Slice(self._writer, key, steps[first:last], values[first:last], piece, now)
            if not self._delivery.outbox.put(item):
                self._delivery.lost(self._writer, item.points)
        if count:
            self._next_step = int(steps[-1]) + 1

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log typed inputs. The first value of a key stays; another one is recorded as a conflict."""
        if params:
            self._say(params_logged=event_pb2.ParamsLogged(params=to_params(params)))

    def log_param(self, key: str, value: object) -> None:
        """Log one typed input."""
        self.log_params({key: value})

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags; the last value of a key stays."""
        if tags:
            self._say(tags_set=event_pb2.TagsSet(tags={str(key): str(value) for key, value in tags.items()}))

    def set_tag(self, key: str, value: object) -> None:
        """Set one tag."""
        self.set_tags({key: value})

    def delete_tags(self, *keys: str) -> None:
        """Remove tags."""
        if keys:
            self._say(tags_deleted=event_pb2.TagsDeleted(keys=keys))

    def rename(self, name: str) -> None:
        """Change the display name."""
        self._say(run_updated=event_pb2.RunUpdated(name=name))

    def log_artifact(self, path: str | Path, name: str | None = None) -> None:
        """Keep a file, under its own name or another path. Files over 1 MiB are uploaded before this returns."""
        self._artifact(Path(path), name or Path(path).name)

    def log_artifacts(self, folder: str | Path, prefix: str = "") -> None:
        """Keep every file below a folder."""
        for path, name in files_below(Path(folder)):
            self._artifact(path, f"{prefix.strip('/')}/{name}" if prefix else name)

    def _artifact(self, path: Path, name: str) -> None:
        if self._pid != os.getpid():
            self._rejoin()
        try:
            event = artifact_event(self._delivery.connection, self._writer, path, name, millis(None))
        except (OSError, FleetlogError) as error:
            diagnostics.warning("artifact %s was not kept: %s", name, error)
            return
        self._put(event)

    def _say(self, **payload: Any) -> None:
        if self._pid != os.getpid():
            self._rejoin()
        self._put(event_pb2.Event(observe_time_millis=millis(None), **payload))

    def _put(self, event: event_pb2.Event) -> None:
        try:
            check_event(event, "event")
        except FleetlogError as error:
            diagnostics.warning("not logged: %s", error)
            return
        self._delivery.outbox.put(Fact(self._writer, event))

    def _rejoin(self) -> None:
        """In a forked child: one more writer, with a delivery of its own."""
        old = self._writer
        started = event_pb2.RunStarted(opening=event_pb2.RUN_OPENING_JOIN)
        self._writer = Writer(
            old.namespace, old.run_id, new_random_id(), old.rank, old.experiment, started, old.experiment_id
        )
        self._delivery = delivery_to(self._target)
        self._delivery.add(self._writer)
        self._pid = os.getpid()

    def flush(self, timeout: float = 30.0, level: str = "durable") -> None:
        """Wait until everything logged so far is durable, or (level "applied") can be read. DeadlineExceeded."""
        begun = time.monotonic()
        if not self._delivery.flush(timeout):
            pending = self._delivery.pending_points
            raise DeadlineExceeded("NOT_DURABLE", f"{pending:,} points are not durable after {timeout:.0f} s")
        if level == "applied":
            wait_applied(self._delivery.connection, max(0.1, timeout - (time.monotonic() - begun)))

    def finish(
        self,
        state: str = "FINISHED",
        end_time: datetime | float | None = None,
        *,
        wait: bool = True,
        timeout: float = 60.0,
    ) -> None:
        """End the run: FINISHED, FAILED or KILLED. Waits until all of it is durable, unless told not to."""
        if self._ended:
            return
        self._ended = True
        _active.discard(self)
        ended = event_pb2.RunFinished(
            state=event_pb2.RunState.Value(f"RUN_STATE_{state.upper()}"), end_time_millis=millis(end_time)
        )
        self._say(run_finished=ended)
        if wait and not self._delivery.flush(timeout):
            pending = self._delivery.pending_points
            diagnostics.warning("run %s: %s points are not delivered after %.0f s", self.id, f"{pending:,}", timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or (isinstance(error, SystemExit) and not error.code):
            self.finish()
        elif issubclass(kind, Exception):
            self.finish("FAILED")
        else:
            self.finish("KILLED")


def _whole(values: Any) -> Any:
    """int64 array, or a list of int when numpy is not there."""
    try:
        import numpy as np
    except ImportError:
        return [value.__index__() for value in values]
    array = np.asarray(values)
    if array.dtype.kind == "f" and not (array == np.floor(array)).all():
        raise ValueError("steps and times are whole numbers")
    return np.array(array, dtype=np.int64)


def _real(values: Any) -> Any:
    """float64 array, or a list of float when numpy is not there."""
    try:
        import numpy as np
    except ImportError:
        return [float(value) for value in values]
    return np.array(values, dtype=np.float64)


def start_run(
    experiment: str = "Default",
    name: str = "",
    *,
    params: Mapping[str, object] | None = None,
    tags: Mapping[str, object] | None = None,
    parent: Run | str | None = None,
    run_id: str | None = None,
    resume: bool = False,
    rank: int | None = None,
    user: str | None = None,
    start_time: datetime | float | None = None,
    target: str | None = None,
    namespace: str | None = None,
    writer_id: str | None = None,
) -> Run:
    """Start a run, join one (run_id=…), or go on with one that ended (run_id=…, resume=True).

    Returns at once when the experiment is known to this process; else it asks the server for up to five seconds. A
    server that refuses raises FleetlogError; a server that is not there is warned about, and events wait for it.
    `writer_id` (32 hexadecimal digits) makes an import repeatable: the same writer sending the same events again
    changes nothing. It is for runs whose id is given too.
    """
    from fleetlog.starting import started_writer

    writer = started_writer(
        experiment, name, params or {}, tags or {}, parent.id if isinstance(parent, Run) else parent,
        run_id, resume, rank, user, start_time, namespace, writer_id,
    )  # fmt: skip
    delivery = delivery_to(target)
    try:
        writer.experiment_id = delivery.resolve(writer.namespace, experiment, 5.0)
    except (Unavailable, DeadlineExceeded) as error:
        delivery.warn("start", f"run {writer.run_id.hex()} goes on without a server, its events wait: {error}")
    return Run(writer, target)


@atexit.register
def _finish_active() -> None:
    """Runs that nobody finished end with the process, in bounded time."""
    deadline = time.monotonic() + EXIT_SECONDS
    for run in list(_active):
        if run._pid == os.getpid():
            run.finish(timeout=max(0.1, deadline - time.monotonic()))
