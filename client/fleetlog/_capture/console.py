"""What the process writes to sys.stdout and sys.stderr, seen on its way: each stream's own `write` is called once.

The method of the stream is wrapped, not the stream: who holds the stream already, such as a handler of logging, is
seen too. What other processes, C code and faulthandler write to the descriptors goes past.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fleetlog._delivery.diagnostics import diagnostics

MAX_CHARACTERS = 1_000_000
"""Maximum that waits to be recorded; what is written beyond it is counted and left out."""
WAKE_CHARACTERS = 100_000
"""What waits is taken early from here on."""
STREAMS = ("stdout", "stderr")
TOGETHER_MILLIS = 20
"""What a stream is written within this time has one time: print() alone writes a line in two pieces or more."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written in a moment, and when, in Unix milliseconds."""

    stream: str
    millis: int
    text: str


class Console:
    """The process's output, from `open` to `close`. Thread-safe, and reentrant: a handler of a signal may print."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.RLock()
        self._written: list[tuple[str, int, str]] = []
        """Stream, time and text of each call."""
        self._characters = 0
        self._lost = 0
        self._taps: list[_Tap] = []

    def open(self) -> None:
        """Begin. A stream that is not there, or lets nothing be set, is left alone."""
        streams: list[Any] = []
        for name in STREAMS:
            stream = getattr(sys, name, None)
            if stream is None or any(stream is one for one in streams):
                continue
            streams.append(stream)
            try:
                self._taps.append(_Tap(name, stream, self._saw))
            except (AttributeError, TypeError) as error:
                diagnostics.debug("the output to %s is not recorded: %r", name, error)

    def close(self) -> None:
        """Leave the streams as they were."""
        taps, self._taps = self._taps, []
        for tap in taps:
            tap.remove()

    def take(self) -> list[Written]:
        """What was written since the last time."""
        with self._lock:
            calls, self._written = self._written, []
            lost, self._characters, self._lost = self._lost, 0, 0
        written: list[Written] = []
        texts: list[str] = []
        stream, begun = "", 0
        for name, millis, text in calls:
            if texts and (name != stream or millis > begun + TOGETHER_MILLIS):
                written.append(Written(stream, begun, "".join(texts)))
                texts = []
            if not texts:
                stream, begun = name, millis
            texts.append(text)
        if texts:
            written.append(Written(stream, begun, "".join(texts)))
        if lost:
            millis = written[-1].millis if written else time.time_ns() // 1_000_000
            written.append(Written("stderr", millis, f"\n[fleetlog: {lost:,} characters of output were left out]\n"))
        return written

    def _saw(self, stream: str, text: str) -> None:
        with self._lock:
            before = self._characters
            if before + len(text) > MAX_CHARACTERS:
                self._lost += len(text)
                return
            self._characters += len(text)
            self._written.append((stream, time.time_ns() // 1_000_000, text))
        if before < WAKE_CHARACTERS <= before + len(text):
            self._wake()


class _Tap:
    """The `write` of one stream, wrapped."""

    def __init__(self, name: str, stream: Any, saw: Callable[[str, str], None]) -> None:
        self._name = name
        self._stream = stream
        self._saw: Callable[[str, str], None] | None = saw
        self._was_set = "write" in vars(stream)
        self._write = stream.write
        self._own = self._written
        stream.write = self._own

    def _written(self, *args: Any, **kwargs: Any) -> Any:
        """Writes, whatever comes of it, and then looks at what was written."""
        result = self._write(*args, **kwargs)
        saw = self._saw
        if saw is not None and args and isinstance(args[0], str):
            try:
                saw(self._name, args[0])
            except Exception as error:  # whoever prints is not told of what records it
                diagnostics.debug("output was not recorded: %r", error)
        return result

    def remove(self) -> None:
        """Give the stream its own method back; when somebody wrapped this one since then, it only passes on."""
        self._saw = None
        if vars(self._stream).get("write") is not self._own:
            return
        if self._was_set:
            self._stream.write = self._write
        else:
            del self._stream.write
