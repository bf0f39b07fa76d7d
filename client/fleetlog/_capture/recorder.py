"""The process's recorder: one thread for all runs that record something, alive while there are some.

begin ──▶ inputs are collected and told ──▶ output and samples, as they are due ──▶ end: the rest of the output
Inputs that are late when a run ends are told behind its end, for as long as the process lives; then they are dropped.
A forked child records nothing of its parent's runs; a run that it starts has a recorder of the child's own.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue

from fleetlog._capture.console import Console
from fleetlog._capture.gpus import Gpus
from fleetlog._capture.recording import Inputs, Recording
from fleetlog._capture.switches import Switches
from fleetlog._capture.system_counters import Counters, read_counters
from fleetlog._capture.system_metrics import system_metrics
from fleetlog._delivery.diagnostics import diagnostics
from fleetlog._transport.threads import is_alive, started

LOOK_SECONDS = 5.0
"""Time between two looks at the output."""
END_SECONDS = 0.25
"""Longest wait of a run that ends, for its inputs: those of a process's first run mostly take a tenth of that."""
LATE = "CAPTURE_LATE"
"""Reason of the loss that a run is told of whose process ended before its inputs were there."""
FRESH_SECONDS = 60.0
"""Age up to which inputs are told of the next run too: a search starts many runs a minute."""


class Recorder:
    """The runs of this process that record something. Thread-safe; `begin` and `end` may come amid a signal."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        # Not an Event, whose lock a handler of a signal would find taken by the very thread that it interrupts.
        self._woken: SimpleQueue[None] = SimpleQueue()
        self._console = Console(self._wake)
        self._is_console_open = False
        self._recordings: dict[bytes, Recording] = {}
        self._new: list[Recording] = []
        self._late: list[Recording] = []
        """Recordings that ended before their inputs were told."""
        self._thread: threading.Thread | None = None
        self._gpus = Gpus()
        self._inputs: dict[Switches, tuple[float, list[Inputs]]] = {}
        self._start: Counters | None = None
        self._before: Counters | None = None

    def begin(self, recording: Recording) -> None:
        """Record, unless this process records the same run already. RuntimeError: no thread can be started."""
        with self._lock:
            if recording.sink.run_id in self._recordings:
                recording.are_inputs_told = True
                return
            self._drain()
            self._recordings[recording.sink.run_id] = recording
            self._new.append(recording)
            if recording.has_console and not self._is_console_open:
                self._is_console_open = True
                self._console.open()
            if not is_alive(self._thread):
                self._thread = started("fleetlog-capture", self._run)
        self._wake()

    def end(self, recording: Recording) -> None:
        """Tell what is left of a run that ends."""
        if self._recordings.get(recording.sink.run_id) is not recording:
            return
        deadline = time.monotonic() + END_SECONDS
        # Whoever comes behind one that was waited for in vain has even longer to wait.
        while not (recording.are_inputs_told or self._has_late()) and time.monotonic() < deadline:
            time.sleep(0.001)
        with self._lock:
            if self._recordings.get(recording.sink.run_id) is not recording:
                return
            self._drain()
            del self._recordings[recording.sink.run_id]
            if self._is_console_open and not any(one.has_console for one in self._recordings.values()):
                self._is_console_open = False
                self._console.close()
            if not recording.are_inputs_told:
                self._late.append(recording)
            recording.keep_output(time.monotonic(), is_last=True)
        self._wake()

    def give_up(self) -> None:
        """Drop the inputs of runs that ended and that are still to come: the process ends. Their runs are told."""
        with self._lock:
            late, self._late = self._late, []
            for recording in late:
                if not recording.are_inputs_told:
                    recording.are_inputs_dropped = True
                    recording.sink.lose(LATE)

    def _has_late(self) -> bool:
        return any(not one.are_inputs_told for one in self._late)

    def abandon(self) -> None:
        """In a forked child: the runs are its parent's. Streams get their own methods back."""
        self._console.close()

    def _wake(self) -> None:
        self._woken.put(None)

    def _wait(self, seconds: float) -> None:
        """Until somebody wakes the thread, or the time is over."""
        with suppress(Empty):
            self._woken.get(timeout=seconds)
            while True:
                self._woken.get_nowait()

    def _drain(self) -> None:
        """Give what was written to the runs that are open."""
        for written in self._console.take():
            for recording in self._recordings.values():
                recording.print(written)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not (self._recordings or self._new):
                    self._thread = self._start = self._before = None
                    return
                new, self._new = self._new, []
            for recording in new:
                self._tell_inputs(recording)
            try:
                self._wait(self._look())
            except Exception as error:  # whatever the machine answers: training goes on, and so does this
                diagnostics.debug("nothing was recorded for a moment: %r", error)
                self._wait(LOOK_SECONDS)

    def _tell_inputs(self, recording: Recording) -> None:
        try:
            if recording.is_wanted():
                for inputs in self._inputs_for(recording.on):
                    with self._lock:
                        if recording.are_inputs_dropped:
                            return
                        recording.tell(inputs)
        except Exception as error:  # as above
            diagnostics.debug("inputs are not recorded: %r", error)
        finally:
            with self._lock:
                recording.are_inputs_told = True
                if recording in self._late:
                    self._late.remove(recording)

    def _inputs_for(self, on: Switches) -> Iterator[Inputs]:
        # Here, in the recorder's thread: what it takes to ask git and the machine makes no import of fleetlog slower.
        from fleetlog._capture.inputs import collected

        known = self._inputs.get(on)
        if known is not None and time.monotonic() - known[0] <= FRESH_SECONDS:
            yield from known[1]
            return
        found = []
        for inputs in collected(on, self._gpus):
            found.append(inputs)
            yield inputs
        self._inputs[on] = (time.monotonic(), found)

    def _look(self) -> float:
        """Log what is due. Returns seconds until something may be due again."""
        now = time.monotonic()
        with self._lock:
            recordings = list(self._recordings.values())
            self._drain()
            for recording in recordings:
                recording.keep_output(now)
        sampled = [one for one in recordings if "system" in one.on]
        if sampled:
            self._sample([one for one in sampled if one.sample_at <= now], now)
        pauses = [one.sample_at - now for one in sampled]
        pauses += [LOOK_SECONDS] if any(one.has_console for one in recordings) else []
        return max(0.05, min(pauses, default=3600.0))

    def _sample(self, due: list[Recording], now: float) -> None:
        if self._before is None or self._start is None:
            self._start = self._before = read_counters()
            return
        if not due:
            return
        counters = read_counters()
        metrics = system_metrics(self._start, self._before, counters, self._gpus.samples())
        self._before = counters
        with self._lock:
            for recording in due:
                recording.sample_at = now + recording.on.system_seconds
                if recording.sink.run_id in self._recordings:
                    recording.sample(metrics)


_recorder = Recorder()


def begin(recording: Recording) -> None:
    """Record what a run records by itself, until `end`. Never raises."""
    try:
        _recorder.begin(recording)
    except Exception as error:  # no thread is left, a stream is strange: training goes on
        recording.are_inputs_told = True
        diagnostics.debug("run %s records nothing by itself: %r", recording.sink.run_id.hex(), error)


def end(recording: Recording) -> None:
    """Tell the rest, in bounded time. Never raises."""
    try:
        _recorder.end(recording)
    except Exception as error:  # as above
        diagnostics.debug("the end of run %s is not recorded: %r", recording.sink.run_id.hex(), error)


def give_up() -> None:
    """The process ends: what is not recorded yet of runs that ended is dropped, and counted. Never raises."""
    try:
        _recorder.give_up()
    except Exception as error:  # as above
        diagnostics.debug("late inputs are not counted: %r", error)


def _forked() -> None:
    global _recorder
    _recorder.abandon()
    _recorder = Recorder()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
