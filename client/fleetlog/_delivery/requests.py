"""The send side of a delivery: items of the outbox as frames, and all that is in flight as the requests of a stream."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from fleetlog_proto.v1 import ingest_pb2

from fleetlog._delivery.account import Account
from fleetlog._delivery.in_flight import InFlight, request_of
from fleetlog._delivery.outbox import Outbox
from fleetlog._delivery.stream_state import StreamState
from fleetlog._events.framing import FRAME_POINTS, Framer
from fleetlog._events.grouping import by_writer

FRAME_INTERVAL_SECONDS = 0.02
"""Under load frames are this far apart, so that they are large; a lone event goes at once."""


class Requests:
    """What streams send. gRPC pulls it in a thread of its own, one for each stream; only one generation may send."""

    def __init__(
        self, outbox: Outbox, in_flight: InFlight, stream: StreamState, changed: threading.Condition,
        account: Account, warn: Callable[[str, str], None],
    ) -> None:  # fmt: skip
        self._outbox = outbox
        self._in_flight = in_flight
        self._stream = stream
        self._changed = changed
        self._account = account
        self._warn = warn
        self.framer = Framer()
        # Reentrant: a signal may end the process amid a flush, by another one.
        self.framing = threading.RLock()
        """Held while items are between the outbox and flight."""

    def of(self, generation: int) -> Iterator[ingest_pb2.AppendEventsRequest]:
        """What the stream of a generation sends; whatever ends it, the stream ends with it, and the next one begins."""
        try:
            yield from self._all_of(generation)
        except GeneratorExit:
            raise
        except BaseException as error:
            self._warn("requests", f"not delivered yet, trying again: {error!r}")

    def _all_of(self, generation: int) -> Iterator[ingest_pb2.AppendEventsRequest]:
        """All that is in flight, in order, and what is framed meanwhile; until the generation ends."""
        last = 0.0
        while True:
            with self._changed:
                if generation != self._stream.generation:
                    return
                sent = self._in_flight.next()
                if not sent:
                    if self._in_flight.full:
                        self._changed.wait(1.0)
                        continue
                    pause = last + FRAME_INTERVAL_SECONDS - time.monotonic()
                    if pause > 0:
                        self._changed.wait(pause)
                        continue
            if sent:
                yield request_of(sent)
                continue
            self._outbox.wait(1.0)
            if self._frame(generation):
                last = time.monotonic()

    def _frame(self, generation: int) -> bool:
        """Frame the oldest items; they are in flight from then on. False when there was none."""
        # A generation that ends and the one that follows must not take items side by side: order would be lost.
        with self.framing:
            if generation != self._stream.generation:
                return False
            items = self._outbox.take(FRAME_POINTS)
            if items:
                self._in_flight.extend(self.framer.all_frames(list(by_writer(items)), self._account.not_framed))
            self._outbox.settle()
        return bool(items)
