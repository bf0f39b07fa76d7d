"""A run that is being written.

running ──finish()──▶ ended
   │  log, log_series, log_params, set_tags, log_input, log_artifact: put into the outbox, never raise, never wait
   └─ fork: the child becomes one more writer of the same run
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fleetlog_core.errors import shown
from fleetlog_core.ids import new_random_id
from fleetlog_core.rules.events import check_event
from fleetlog_core.rules.names import check_key, check_keys
from fleetlog_proto.v1 import event_pb2

from fleetlog import exits
from fleetlog.artifacts import artifact_event, files_below
from fleetlog.columns import checked_millis, millis, pieces, real, whole
from fleetlog.datasets import Described, to_dataset
from fleetlog.deliveries import delivery_to, flush_delivery
from fleetlog.delivery import Delivery, diagnostics
from fleetlog.errors import RETRY, FleetlogError
from fleetlog.exit_codes import state_of_code
from fleetlog.open_run import END_STATES, OpenRun
from fleetlog.outbox import Fact, Row, Slice, Writer
from fleetlog.params import to_params
from fleetlog.run_clock import RunClock
from fleetlog.uploads import Upload

SLICE_POINTS = 100_000
SERIES_WAIT_SECONDS = 60.0
LEAVE_SECONDS = 5.0
"""Longest wait for what a run logged when an error leaves its block."""
_INT64 = 1 << 63
_NOBODY = -1
"""No process's id: a run that came from another process is not joined yet, and not opened here."""


class Run:
    """One execution. Made by fleetlog.start_run; used as a context manager it ends by itself."""

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
        self._dropped = self._open.dropped
        self._keys: dict[tuple[str, ...], tuple[str, ...] | None] = {}
        self._next_step = 0

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

    def go_on_behind(self, step: int | None) -> None:
        """Steps that are not given follow this one; None: they begin at 0."""
        if step is not None:
            self._next_step = max(self._next_step, step + 1)

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
            self._drop("STEP_INVALID", 1)
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
            self._drop("KEY_INVALID", len(keys) - len(known))
            metrics = {key: metrics[key] for key in known}
            keys = known
        values: list[float] = list(metrics.values())
        for value in values:
            if type(value) is not float:
                keys, values = self._numbers(metrics)
                break
        if not keys:
            return
        row = Row(self._writer, keys, values, step, self._now() if time_ is None else checked_millis(millis(time_)))
        if not self._delivery.outbox.put(row):
            self._delivery.full(len(keys))

    def _drop(self, reason: str, points: int) -> None:
        self._dropped[reason] = self._dropped.get(reason, 0) + points

    def _check_keys(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """The keys that are valid; the others are warned about. Remembered, so that a step asks once."""
        try:
            check_keys(keys, lambda place: "metrics")
            valid = keys
        except (FleetlogError, TypeError, AttributeError):
            valid = tuple(key for key in keys if self._is_right(key))
        if len(self._keys) < 10_000:
            self._keys[keys] = valid
        return valid

    def _is_right(self, key: str) -> bool:
        try:
            check_key(key, "metrics")
        except (FleetlogError, TypeError, AttributeError) as error:
            self._delivery.warn("key", f"a metric was not logged: {error}")
            return False
        return True

    def _numbers(self, metrics: Mapping[str, Any]) -> tuple[tuple[str, ...], list[float]]:
        keys, values = [], []
        for key, value in metrics.items():
            try:
                values.append(float(value))
                keys.append(key)
            except (TypeError, ValueError, OverflowError, RuntimeError):
                self._drop("NOT_A_NUMBER", 1)
                self._delivery.warn(
                    f"number:{key}", f"metric {key!r} is not a number and was not logged: {value!r:.80}"
                )
        return tuple(keys), values

    def log_series(self, key: str, *, steps: Any, values: Any, times: Any = None) -> None:
        """Log many points of one metric: sequences or arrays of one length, times in Unix milliseconds.

        They are copied; millions at once are fine: more than the buffer holds waits for room while the server takes
        what is there, for a minute at the most, and not at all when the server is away. Never raises; what found no
        room is warned about, and the run is told (BUFFER_FULL).
        """
        try:
            self._log_series(key, steps, values, times)
        except Exception as error:  # training goes on whatever was logged
            self._drop("SERIES_INVALID", 1)
            self._delivery.warn("series", f"a series could not be logged: {error!r}")

    def _log_series(self, key: str, steps: Any, values: Any, times: Any) -> None:
        if self._pid != os.getpid():
            self._rejoin()
        check_key(key, "key")
        steps, values = whole(steps), real(values)
        times = None if times is None else whole(times)
        count = len(values)
        if len(steps) != count or (times is not None and len(times) != count):
            raise ValueError(f"{len(steps)} steps and {count} values of {key!r}: they must be as many")
        if times is not None and count:
            checked_millis(int(min(times)) if isinstance(times, list) else int(times.min()))
            checked_millis(int(max(times)) if isinstance(times, list) else int(times.max()))
        now = self._now()
        deadline = time.monotonic() + SERIES_WAIT_SECONDS
        for first in range(0, count, SLICE_POINTS):
            last = first + SLICE_POINTS
            piece = None if times is None else times[first:last]
            item = Slice(self._writer, key, steps[first:last], values[first:last], piece, now)
            if not self._delivery.outbox.put(item, deadline - time.monotonic()):
                self._delivery.full(item.points)
        if count:
            self._next_step = int(steps[-1]) + 1

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log typed inputs. The first value of a key stays; another one is recorded as a conflict."""
        for piece in pieces(to_params(params), lambda param: param.ByteSize()):
            self._say(params_logged=event_pb2.ParamsLogged(params=piece))

    def log_param(self, key: str, value: object) -> None:
        """Log one typed input."""
        self.log_params({key: value})

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags; the last value of a key stays."""
        texts = [(str(key), str(value)) for key, value in tags.items()]
        for piece in pieces(texts, lambda tag: 4 * (len(tag[0]) + len(tag[1]))):
            self._say(tags_set=event_pb2.TagsSet(tags=dict(piece)))

    def set_tag(self, key: str, value: object) -> None:
        """Set one tag."""
        self.set_tags({key: value})

    def delete_tags(self, *keys: str) -> None:
        """Remove tags."""
        if keys:
            self._say(tags_deleted=event_pb2.TagsDeleted(keys=keys))

    def log_input(
        self, data: str | Described, context: str = "", *, digest: str = "", source: object = "",
        source_type: str = "", schema: object = "", profile: object = "",
    ) -> None:  # fmt: skip
        """Log data that the run reads: by its name, or a dataset of mlflow.data. Searches ask for `datasets.name`.

        `context`: what for, such as "training"; `digest`: what tells its version. `source`, `schema` and `profile` are
        texts, or become JSON. The first write of the same name, digest and context stays.
        """
        if self._pid != os.getpid():
            self._rejoin()
        said = {"digest": digest, "source": source, "source_type": source_type, "schema": schema, "profile": profile}
        try:
            dataset = to_dataset(data, context, said)
        except Exception as error:  # training goes on whatever was logged
            self._delivery.warn("input", f"data could not be logged: {error!r}")
            self._delivery.outbox.lose(self._writer, "DATASET_INVALID", events=1)
            return
        self._say(datasets_logged=event_pb2.DatasetsLogged(datasets=[dataset]))

    def rename(self, name: str) -> None:
        """Change the display name."""
        self._say(run_updated=event_pb2.RunUpdated(name=name))

    def log_artifact(self, path: str | Path, name: str | None = None) -> None:
        """Keep a file, under its own name or another path. Files over 1 MiB are uploaded before this returns.

        When no server answers it is uploaded in the background as soon as one does, as it is then: leave it in place.
        """
        self._artifact(Path(path), name or Path(path).name)

    def log_artifacts(self, folder: str | Path, prefix: str = "") -> None:
        """Keep every file below a folder."""
        for path, name in files_below(Path(folder)):
            self._artifact(path, f"{prefix.strip('/')}/{name}" if prefix else name)

    def _artifact(self, path: Path, name: str) -> None:
        if self._pid != os.getpid():
            self._rejoin()
        upload = Upload(self._writer, path, name)
        try:
            event = artifact_event(self._delivery.connection, self._writer, path, name, self._now())
        except (OSError, FleetlogError) as error:
            if isinstance(error, FleetlogError) and error.code in RETRY:
                self._delivery.warn("upload", f"artifact {name} waits for the server: {error}")
                self._delivery.uploads.add(upload)
                return
            self._delivery.outbox.lose(self._writer, "ARTIFACT_NOT_KEPT", events=1)
            diagnostics.warning("artifact %s was not kept: %s", name, error)
            return
        if event.artifact_logged.content and self._delivery.outbox.full:
            self._delivery.uploads.add(upload)
            return
        self._put(event)

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
        self._dropped = self._open.dropped
        self._pid = os.getpid()
        exits.child_writes()

    def flush(self, timeout: float = 30.0, level: str = "durable") -> None:
        """Wait until everything logged so far is durable, or (level "applied") can be read. DeadlineExceeded."""
        if self._pid == os.getpid():
            flush_delivery(self._delivery, timeout, level)

    def finish(
        self,
        state: str = "FINISHED",
        end_time: datetime | float | None = None,
        *,
        wait: bool = True,
        timeout: float = 60.0,
    ) -> None:
        """End the run: FINISHED, FAILED or KILLED.

        Waits until all of it is durable, unless told not to; warns of what is not by then, which is still sent for as
        long as the process lives.
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

    def _finish(self, state: str, end_time: datetime | float | None) -> None:
        try:
            at = None if end_time is None else checked_millis(millis(end_time))
        except Exception as error:  # it ends now, whatever was given
            diagnostics.warning("run %s ends now, not at end_time=%s: %s", self.id, shown(end_time), error)
            at = None
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

    def _end_with_error(self, state: str) -> None:
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
