"""The send side of a delivery: all that is in flight as the requests of a stream."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from fleetlog_proto.v1 import ingest_pb2

from fleetlog._delivery import heartbeats
from fleetlog._delivery.account import Refusals
from fleetlog._delivery.heartbeats import Heartbeats
from fleetlog._delivery.in_flight import InFlight
from fleetlog._delivery.sent import request_of
from fleetlog._delivery.stream_state import StreamState


class Requests:
    """What streams send. gRPC pulls it in a thread of its own, one for each stream; only one generation may send."""

    def __init__(
        self, in_flight: InFlight, stream: StreamState, changed: threading.Condition, refusals: Refusals,
        warn: Callable[[str, str], None], alive: Heartbeats,
    ) -> None:  # fmt: skip
        self._alive = alive
        self._in_flight = in_flight
        self._stream = stream
        self._changed = changed
        self._refusals = refusals
        self._warn = warn

    def of(self, generation: int) -> Iterator[ingest_pb2.AppendEventsRequest]:
        """What the stream of a generation sends; whatever ends it, the stream ends with it, and the next one begins."""
        try:
            yield from self._all_of(generation)
        except GeneratorExit:
            raise
        except BaseException as error:
            self._warn("requests", f"not delivered yet, trying again: {error!r}")

    def _all_of(self, generation: int) -> Iterator[ingest_pb2.AppendEventsRequest]:
        """All that is in flight, in order, and what comes meanwhile; until the generation ends."""
        while True:
            with self._changed:
                if generation != self._stream.generation:
                    return
                sent = self._in_flight.next()
                quiet = [] if sent else self._alive.due()
                if not sent and not (quiet and self._in_flight.add_heartbeats()):
                    quiet = []
                    # Who frames may be waiting until there is something to send.
                    self._changed.notify_all()
                    self._changed.wait(heartbeats.seconds_to_look(time.time()))
            frames, points = self._in_flight.take_unreadable()
            if frames:
                self._refusals.unreadable(frames, points)
            if sent:
                yield request_of(sent)
            elif quiet:
                yield heartbeats.request_of(quiet)
