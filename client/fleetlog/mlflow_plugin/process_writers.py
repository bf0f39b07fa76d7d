"""What all writers of this process to one namespace share: its connection, its delivery, and how an event is put."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from fleetlog_core.rules.events import check_event
from fleetlog_proto.v1 import event_pb2, position_pb2

from fleetlog._delivery.delivery import Delivery
from fleetlog._delivery.registry import Level, delivery_to, flush_delivery
from fleetlog._events.items import Fact, Writer
from fleetlog._transport.connection import Connection, connection_to
from fleetlog.mlflow_plugin.errors import translated
from fleetlog.mlflow_plugin.served import read_position
from fleetlog.mlflow_plugin.uris import Place

FLUSH_SECONDS = 60.0


class ProcessWriters:
    """Puts events into the process's delivery. Thread-safe."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.pid = os.getpid()
        """The process that they are of: connection and delivery are its own, and stay."""
        self._lock = threading.RLock()

    @cached_property
    def connection(self) -> Connection:
        """The process's connection to the server."""
        return connection_to(self.place.target)

    @cached_property
    def delivery(self) -> Delivery:
        """The process's delivery to the server."""
        return delivery_to(self.place.target)

    def position(self) -> position_pb2.Position:
        """Returns what a read has to hold, see served.read_position. MlflowException."""
        with translated():
            return read_position(self.connection, self.place.namespace)

    def tell(self, author: Writer, **payload: Any) -> None:
        """Put an event of a run or a logged model. InvalidArgument before anything of it is sent."""
        self._put(author, self._event(author, payload))

    def _event(self, writer: Writer, payload: Mapping[str, Any], time_millis: int = 0) -> event_pb2.Event:
        event = event_pb2.Event(observe_time_millis=time_millis or time.time_ns() // 1_000_000, **payload)
        check_event(event, "event", subject=writer.subject)
        return event

    def _put(self, writer: Writer, event: event_pb2.Event) -> None:
        self.delivery.outbox.put(Fact(writer, event, 600 + 2 * event.ByteSize()))

    def flush(self, level: Level = "durable", timeout_seconds: float = FLUSH_SECONDS) -> None:
        """Wait until everything that this process wrote is durable, or (level "applied") can be read."""
        with translated():
            flush_delivery(self.delivery, timeout_seconds, level)


def covers(held: position_pb2.Position, wanted: position_pb2.Position) -> bool:
    """True if everything before `wanted` is before `held`."""
    offsets = {(one.topic, one.partition): one.next_offset for one in held.offsets}
    return all(offsets.get((one.topic, one.partition), 0) >= one.next_offset for one in wanted.offsets)
