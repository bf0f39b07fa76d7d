"""The calls of one channel that are under way: counted, ended for a while, and waited for with gRPC's threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

PAUSE_SECONDS = 1.0
"""A fork, or the process's end, waits so long for calls to end, usually a few milliseconds; it comes anyway then."""
Response = TypeVar("Response")
Covariant = TypeVar("Covariant", covariant=True)


class Stream(Protocol[Covariant]):
    """A call under way that answers in a stream."""

    def __iter__(self) -> Iterator[Covariant]: ...
    def cancel(self) -> bool:
        """End it."""
        ...

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Call it when this has ended; False when it has already."""
        ...


class UnderWay:
    """Calls under way. gRPC has one thread for all streams of a channel, from the first one to the last one's end."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._calls = 0
        self._streams: list[Stream[object]] = []
        self._threads: list[threading.Thread] = []
        """gRPC's own: of the streams, and of what is sent in them."""
        self._paused = False
        self._streams_paused = False

    @property
    def busy(self) -> bool:
        """True if a call or a stream is under way."""
        with self.changed:
            return bool(self._calls or self._streams)

    @contextmanager
    def calling(self) -> Iterator[None]:
        """A call is under way: a fork waits for it."""
        with self.changed:
            self.changed.wait_for(lambda: not self._paused, PAUSE_SECONDS)
            self._calls += 1
        try:
            yield
        finally:
            with self.changed:
                self._calls -= 1
                self.changed.notify_all()

    @contextmanager
    def streaming(self, start: Callable[[], Stream[Response]]) -> Iterator[Stream[Response]]:
        """A call that may answer for hours: a fork ends it, CANCELLED, and waits until it has ended."""
        with self.changed:
            self.changed.wait_for(lambda: not self._streams_paused, PAUSE_SECONDS)
            stream = self.begin(start)
        try:
            yield stream
        finally:
            stream.cancel()

    def begin(self, start: Callable[[], Stream[Response]]) -> Stream[Response]:
        """Start a stream, paused or not, and know it and its threads until they end."""
        with self.changed:
            others = set(threading.enumerate())
            stream = start()
            begun = [one for one in threading.enumerate() if one not in others and "(_run)" in one.name]
            self._threads = [one for one in self._threads if one.is_alive()] + begun
            self._streams.append(stream)
        if not stream.add_callback(lambda: self._ended(stream)):
            self._ended(stream)
        return stream

    def forget(self, stream: Stream[Response]) -> None:
        """Do not know of the stream any more: an exception came amid it, and gRPC may hold its lock for ever."""
        with self.changed:
            self._streams = [one for one in self._streams if one is not stream]
            self.changed.notify_all()

    def _ended(self, stream: Stream[object]) -> None:
        self.forget(stream)

    def pause(self, timeout_seconds: float) -> bool:
        """Let no call begin until `resume`, and end the streams: whether nothing was under way in time."""
        with self.changed:
            self._paused = True
        return self.end_streams(timeout_seconds)

    def end_streams(self, timeout_seconds: float) -> bool:
        """Let no stream begin until `resume`, and end those there are: whether no thread was in gRPC for one in time.

        When paused, whether no other call was under way either.
        """
        deadline = time.monotonic() + timeout_seconds
        with self.changed:
            self._streams_paused = True
            streams = list(self._streams)
        for stream in streams:
            stream.cancel()
        with self.changed:
            quiet = self.changed.wait_for(
                lambda: not self._streams and not (self._paused and self._calls), timeout_seconds
            )
            threads = list(self._threads)
        # A stream has told of its end before they are through with it.
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            quiet = quiet and not thread.is_alive()
        return quiet

    def resume(self) -> None:
        """Go on after `pause` or `end_streams`."""
        with self.changed:
            self._paused = self._streams_paused = False
            self.changed.notify_all()
