"""A log whose records say who sent them: beside what the call made of it, and after whatever a client said."""

from __future__ import annotations

from concurrent.futures import Future

from fleetlog_core.auth.identity import Identity, caller
from fleetlog_core.log.port import CONTROL, EventLog, Record
from fleetlog_core.log.wrapped import WrappedLog
from fleetlog_proto.v1 import frame_pb2

CALLERS = 10_000
"""Callers whose bytes are kept for the next record."""


class CallerLog(WrappedLog):
    """See EventLog: the one that it is given, for records of the call under way."""

    def __init__(self, log: EventLog, gateway: str) -> None:
        """`gateway` is told as where the call came in."""
        super().__init__(log)
        self._gateway = gateway
        self._tails: dict[tuple[str, Identity], bytes] = {}

    def append(self, topic: str, key: bytes, value: bytes, *, generation: int | None = None) -> Future[Record]:
        """See EventLog."""
        return self._log.append(topic, key, value + self._tail(topic), generation=generation)

    def _tail(self, topic: str) -> bytes:
        """The caller as a field of the record's message: in protobuf what stands behind belongs to what is before."""
        identity = caller()
        if not identity.principal:
            return b""
        tail = self._tails.get((topic, identity))
        if tail is None:
            told = frame_pb2.Caller(
                principal=identity.principal, token_name=identity.token_name, gateway=self._gateway
            )  # fmt: skip
            made = frame_pb2.ControlRecord(caller=told) if topic == CONTROL else frame_pb2.Frame(caller=told)
            if len(self._tails) >= CALLERS:
                self._tails.clear()
            tail = self._tails[(topic, identity)] = made.SerializeToString()
        return tail
